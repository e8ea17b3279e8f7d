#pragma once
// What the runs of a sweep have in common, made once: models, and the figures of those that stay as
// they are (the one before unlearning, the never-taught one).

#include <filesystem>
#include <map>
#include <string>

#include "grin/sweep/figure.h"
#include "grin/sweep/ledger.h"
#include "grin/sweep/sweep_plan.h"

namespace grin {

// Not for several threads at once. The arguments must outlive this.
class SharedWork {
 public:
  SharedWork(const SweepFile& file, SweepIdentities& identities, const Ledger& ledger)
      : file_(file), identities_(identities), ledger_(ledger) {}

  // Makes what is named in [[finetune]], in its order. Goes on with what a killed process has
  // begun.
  void MakeModels();

  // Results of the model before and of the never-taught one, for runs that are measured like this
  // one; null where there is no such model, or no [eval].
  const Json* EvalOfBefore(const SweepRun& run);
  const Json* EvalOfReference(const SweepRun& run);
  // Their figures; empty likewise.
  const std::map<std::string, MeasuredFigure>& FiguresOfBefore(const SweepRun& run);
  const std::map<std::string, MeasuredFigure>& FiguresOfReference(const SweepRun& run);
  // The file of the latter, for --reference; empty where there is none.
  std::filesystem::path ReferenceFile(const SweepRun& run);

  // Figures of both under attack, for AttackRunOptions::known. Null without [attack].
  Json KnownAttacks(const SweepRun& run);

  // Runs that have this in common have their reference values in common.
  std::string ReferencesOf(const SweepRun& run) {
    return identities_.OfReferences(run.unlearn).dump();
  }

 private:
  bool IsMade(const SweepFinetune& finetune);
  void MakeModel(const SweepFinetune& finetune);
  std::filesystem::path EvalFile(SweepEval settings, const std::string& model);
  const Json* ResultsIn(const std::filesystem::path& file);
  std::filesystem::path BeforeFile(const SweepRun& run);
  const std::map<std::string, MeasuredFigure>& FiguresIn(const SweepRun& run,
                                                         const std::filesystem::path& file);
  Json AttackAloneOnce(const SweepAttack& settings, const std::string& role);

  const SweepFile& file_;
  SweepIdentities& identities_;
  const Ledger& ledger_;
  std::map<std::string, Json> results_;  // by file
  std::map<std::string, std::map<std::string, MeasuredFigure>> figures_;
};

}  // namespace grin
