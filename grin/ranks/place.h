#pragma once
// Which of several processes this one is, as whoever started them says: torchrun, mpirun or srun.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace grin {

struct RankPlace {
  int64_t rank = 0, world = 1;        // this process, and how many there are
  std::optional<int64_t> local_rank;  // among those of this machine, where that is said
  // Where the processes find each other: a store that rank 0 opens, unless whoever started them
  // has.
  std::string address;
  uint16_t port = 29500;
  bool opens_store = false;
  std::string attempt;  // tells the keys of one start from those of another in the same store
};

// The value of a variable of the environment, or null.
using Environment = std::function<const char*(const char* name)>;

// From RANK, WORLD_SIZE and LOCAL_RANK (torchrun), else OMPI_COMM_WORLD_RANK, .._SIZE and
// .._LOCAL_RANK (Open MPI), else SLURM_PROCID, SLURM_STEP_NUM_TASKS and SLURM_LOCALID (srun;
// SLURM_NTASKS counts where MASTER_ADDR is set, for a batch script has it too), with MASTER_ADDR
// and MASTER_PORT. Nothing for one process alone. Error (usage) for numbers that make no sense, or
// where an address is missing.
std::optional<RankPlace> FindRankPlace(const Environment& environment);
std::optional<RankPlace> FindRankPlace();  // this process's own environment

}  // namespace grin
