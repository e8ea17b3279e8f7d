#pragma once
// All attacks on a model, on the one before unlearning and on a never-taught one, as one call. See
// unlearn.h for messages, errors and threads.

#include <string>

#include "grin/attack/options.h"
#include "grin/run/state_directory.h"
#include "grin/run/workspace.h"

namespace grin {

struct AttackRunOptions {
  std::string before, reference;  // models; the second may be empty
  TaskOptions task;
  AttackOptions attack;
  OutputOptions output;  // the results file; nothing is written where output.out is empty
  StateOptions state;    // finished parts are kept beside it, to go on from
  // Models that were attacked already, by role ("before", "reference"), as AttackAlone tells them: not
  // attacked again. They must be the models that are named here. Null: none.
  const Json* known = nullptr;

  template <typename Visitor>
  void Visit(Visitor& visit) {
    visit("before", before, "the model before unlearning");
    visit("reference", reference,
          "a model that was never taught the forget set: the fair floor; without it the floor is "
          "nothing known at all");
    task.Visit(visit);
    attack.Visit(visit);
  }
};

// Error (usage) for settings that can be seen to be wrong before a model is opened. RunAttack calls
// it itself.
void CheckRun(const ComputeOptions& compute, const AttackRunOptions& options);

// Attacks the model that `where` names, and the others in the same way, one in memory at a time.
// Returns the results (docs/attacks.md), and writes them. With state.resume it goes on after the parts
// that an earlier run has finished, to the same figures; where its results are whole already it returns
// them. All models must read the sets as the same
// tokens: Error (bad input) where they do not.
Json RunAttack(const WorkspaceOptions& where, const AttackRunOptions& options);

// Attacks the model of one role alone: {"model": which, "figures": by attack, to the last bit}. What
// several runs compare with need be attacked once only.
Json AttackAlone(const WorkspaceOptions& where, const AttackRunOptions& options,
                 const std::string& role);

}  // namespace grin
