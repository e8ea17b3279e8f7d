#pragma once
// The processes that do one run together, and what they have in common: sums, values, an end. A
// value that is handed to those who need it. On one process nothing is sent and nothing waits.
//
// All processes run the same program on the same input and make the same calls in the same order.
// What they share out are pieces of work whose results are added (own_parts, Sum) or put together
// (Gather). Every call throws an Error where another process has failed, was killed or hangs.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "grin/base/error.h"
#include "grin/ranks/one_process.h"
#include "grin/ranks/place.h"

namespace grin {

// How sums over pieces of work are made.
struct SumRule {
  // A sum is made of so many parts, whatever the number of processes, each from its first term to
  // its last, which are then added as the leaves of a balanced tree: 1, 2, 4 and 8 processes get
  // the same bits. Otherwise there is one part for each process.
  bool deterministic = false;
  bool narrow = false;  // what travels is rounded to bf16; sums are fp32 all the same

  static constexpr int64_t kParts = 8;
};

class Ranks {
 public:
  // One process.
  explicit Ranks(const SumRule& rule = {});
  // One of several, which have still to meet.
  Ranks(const RankPlace& place, const SumRule& rule);
  ~Ranks();
  Ranks(const Ranks&) = delete;
  Ranks& operator=(const Ranks&) = delete;

  // Finds the other processes; waits for them for at most two minutes. To be called once, before
  // all else. Error (usage) for a number of processes that the rule does not allow, (interrupted)
  // where they do not come.
  void Join();

  int64_t rank() const { return rank_; }
  int64_t world() const { return world_; }
  bool first() const { return rank_ == 0; }
  bool alone() const { return world_ == 1; }
  // Among the processes of this machine, and how many those are.
  int64_t local_rank() const { return local_rank_; }
  int64_t local_world() const { return local_world_; }

  // Parts of a sum, and those that fall to this process: begin .. end - 1.
  struct Parts {
    int64_t begin = 0, end = 1;
    int64_t count() const { return end - begin; }
  };
  int64_t parts() const { return parts_; }
  Parts own_parts() const;
  // How many copies of a sum of parts one process has beside it at most: the depth of the tree.
  // Nothing where each process has one part.
  int64_t copies_of_sums() const { return rule_.deterministic ? 3 : 0; }

  // The sum over all processes takes the place of `values`, fp32 and contiguous, on any device: the
  // same bits on all of them. 2 (W - 1) / W times 4 bytes of each number are sent by each process,
  // with a narrow rule 2 bytes.
  void Sum(at::Tensor& values) const;

  // Rows of all processes under each other: [k] -> [W, k], on the CPU, of any type.
  at::Tensor GatherRows(const at::Tensor& row) const;
  // Bytes of each process, in the order of ranks.
  std::vector<std::string> Gather(std::string_view own) const;
  // What rank 0 has.
  std::string Broadcast(std::string_view of_first) const;
  void Broadcast(at::Tensor& values) const;  // contiguous, in its place
  // Whether it holds on any of them.
  bool Any(bool here) const;
  void Barrier() const;

  // Bytes that this process has sent to others as results, not counting what carries them.
  int64_t bytes_sent() const { return bytes_sent_; }

  // Whether the run is to end because a process has failed.
  bool failed() const;

  // Work is over on all processes, after which nobody waits for another. To be called at the end of
  // a run that did not fail.
  void End();

  // What this process is to say, and how it is to end, when an Error has ended its work: its own
  // one, unless another process failed first.
  struct LastWord {
    std::optional<std::string> message;  // nothing where another process tells
    int code = 1;
  };
  LastWord Fail(ErrorClass error_class, const std::string& message);

 private:
  struct Group;

  void CopyAcross(at::Tensor& send, at::Tensor& received, bool all_to_all) const;
  void FindNeighbours();

  SumRule rule_;
  int64_t rank_ = 0, world_ = 1, local_rank_ = 0, local_world_ = 1, parts_ = 1;
  mutable int64_t bytes_sent_ = 0;
  std::unique_ptr<Group> group_;
};

}  // namespace grin
