#pragma once
// All that an attack run has to do: each attack on each model, in parts. Finished parts are kept
// beside the output, and progress over all of it is told, with the time that is left.

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "grin/attack/parts.h"
#include "grin/base/listener.h"
#include "grin/base/stopwatch.h"
#include "grin/engine/engine_cache.h"
#include "grin/ranks/ranks.h"
#include "grin/run/state_directory.h"

namespace grin {

class AttackWork final : public AttackParts {
 public:
  // One attack on one model. `work` is Attack::work.
  struct Task {
    std::string role, attack;
    double work = 0;
  };

  // Keeps nothing. The processes that do the work get what rank 0 has kept; null: this one alone.
  explicit AttackWork(std::shared_ptr<const Ranks> ranks);
  // Keeps finished parts in OUT.state/, see StateDirectory. A place that cannot be written is a
  // warning.
  AttackWork(const std::string& out, bool force, const StateOptions& options, const Json& identity,
             std::shared_ptr<const Ranks> ranks);
  ~AttackWork() override;
  AttackWork(const AttackWork&) = delete;
  AttackWork& operator=(const AttackWork&) = delete;

  // All tasks, in their order, before the first one begins.
  void Plan(std::vector<Task> tasks) { tasks_ = std::move(tasks); }

  // The next task begins; its parts come by Do.
  void Begin();
  Json Do(const std::string& name, double share, const std::function<Json()>& work) override;
  // It has ended. Returns about how many seconds are left; nothing where that is not known.
  std::optional<double> End();

  // The calling thread's listener for as long as tasks run: it is told of all the work, and beside it
  // of what is done just now.
  Listener OverallListener();

  // Seconds that earlier runs took for parts that this one did not do again.
  double seconds_before() const { return seconds_before_; }

  // How to go on after the work has ended early: a clause for a message.
  std::string Advice() const;

  // The output is whole: nothing is to be gone on with.
  void Remove();

 private:
  // What one attack's work took so far, whichever model it was on.
  struct Pace {
    double work = 0, seconds = 0;
  };

  std::optional<double> SecondsPerWork(const std::string& attack) const;
  std::optional<double> SecondsLeft() const;
  void Tell(const ProgressReport& report);

  std::shared_ptr<const Ranks> ranks_;
  std::optional<StateDirectory> directory_;
  std::optional<EngineCache> kept_;
  size_t parts_kept_ = 0;
  std::vector<Task> tasks_;
  std::optional<size_t> task_;  // the one that runs, or ran last
  double task_done_ = 0;        // its share that is done
  double part_share_ = 0, part_done_ = 0;  // of the part that runs
  std::optional<Stopwatch> part_clock_;
  std::map<std::string, Pace> paces_;
  double seconds_before_ = 0;
  const Listener* outer_ = nullptr;
  Stopwatch clock_;
};

}  // namespace grin
