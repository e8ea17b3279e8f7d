#include "grin/ranks/place.h"

#include <charconv>
#include <cstdlib>
#include <string_view>

#include "grin/base/error.h"

namespace grin {
namespace {

int64_t NumberIn(const char* name, const char* text, int64_t most) {
  const std::string_view view = text;
  int64_t number = -1;
  const auto [end, error] = std::from_chars(view.data(), view.data() + view.size(), number);
  if (error != std::errc() || end != view.data() + view.size() || number < 0 || number > most) {
    BadUsage("ranks", "the variable {} is '{}'; it must be a number from 0 to {}", name, text,
             most);
  }
  return number;
}

// The variables by which one way of starting processes numbers them.
struct Starter {
  const char* rank;
  const char* world;
  const char* local_rank;
};

constexpr Starter kTorchrun{"RANK", "WORLD_SIZE", "LOCAL_RANK"};
constexpr Starter kOpenMpi{"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE",
                           "OMPI_COMM_WORLD_LOCAL_RANK"};
constexpr Starter kSlurmStep{"SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_LOCALID"};
constexpr Starter kSlurmJob{"SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID"};
constexpr int64_t kMostRanks = 1 << 20;

}  // namespace

std::optional<RankPlace> FindRankPlace(const Environment& environment) {
  const bool has_address = environment("MASTER_ADDR") != nullptr;
  const Starter* starter = nullptr;
  for (const Starter* known : {&kTorchrun, &kOpenMpi, &kSlurmStep, &kSlurmJob}) {
    if (known == &kSlurmJob && !has_address) continue;
    if (environment(known->rank) && environment(known->world)) {
      starter = known;
      break;
    }
  }
  if (!starter) {
    for (const char* name : {kTorchrun.rank, kTorchrun.world}) {
      if (!environment(name)) continue;
      // Other programs set WORLD_SIZE alone; a number above one without a rank is a mistake.
      if (name == kTorchrun.rank || NumberIn(name, environment(name), kMostRanks) > 1) {
        BadUsage("ranks", "of the variables RANK and WORLD_SIZE only {} is set; set both, or none",
                 name);
      }
    }
    return std::nullopt;
  }
  RankPlace place;
  place.world = NumberIn(starter->world, environment(starter->world), kMostRanks);
  place.rank = NumberIn(starter->rank, environment(starter->rank), kMostRanks);
  if (place.world < 1 || place.rank >= place.world) {
    BadUsage("ranks", "{} is {} and {} is {}; ranks are numbered from 0", starter->rank, place.rank,
             starter->world, place.world);
  }
  if (place.world == 1) return std::nullopt;
  if (const char* text = environment(starter->local_rank)) {
    place.local_rank = NumberIn(starter->local_rank, text, kMostRanks);
  }
  if (has_address) {
    place.address = environment("MASTER_ADDR");
  } else if (const char* local = environment("OMPI_COMM_WORLD_LOCAL_SIZE");
             local && NumberIn("OMPI_COMM_WORLD_LOCAL_SIZE", local, kMostRanks) == place.world) {
    place.address = "127.0.0.1";
  } else {
    BadUsage("ranks",
             "this is process {} of {}, and MASTER_ADDR is not set; set it to the machine of rank "
             "0, and "
             "MASTER_PORT to a free port there",
             place.rank, place.world);
  }
  if (const char* text = environment("MASTER_PORT")) {
    place.port = static_cast<uint16_t>(NumberIn("MASTER_PORT", text, 65535));
  }
  const char* agent = environment("TORCHELASTIC_USE_AGENT_STORE");
  place.opens_store = place.rank == 0 && !(agent && std::string_view(agent) == "True");
  if (const char* text = environment("TORCHELASTIC_RESTART_COUNT")) place.attempt = text;
  return place;
}

std::optional<RankPlace> FindRankPlace() {
  return FindRankPlace([](const char* name) -> const char* { return std::getenv(name); });
}

}  // namespace grin
