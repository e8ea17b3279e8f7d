#include "grin/sweep/run_one.h"

#include "grin/base/error.h"
#include "grin/base/processor.h"
#include "grin/base/stopwatch.h"
#include "grin/base/version.h"
#include "grin/gguf/open_checkpoint.h"
#include "grin/io/model_fingerprint.h"
#include "grin/run/device.h"
#include "grin/run/device_memory.h"
#include "grin/run/provenance.h"
#include "grin/sweep/kept_gradients.h"
#include "grin/sweep/kept_references.h"

namespace grin {
namespace {

namespace fs = std::filesystem;

UnlearnResult UnlearnTo(const SweepRun& run, const Ledger& ledger, SharedWork& shared,
                        const fs::path& out) {
  Workspace workspace = OpenWorkspace(run.unlearn.where);
  const LoadedTask task = LoadTask(workspace, run.unlearn.task);
  const std::string model = ModelFingerprint(*workspace.checkpoint);
  KeptGradients gradients(ledger, model);
  KeptReferences references(ledger, model + shared.ReferencesOf(run));
  UnlearnOptions options = run.unlearn.unlearn;
  options.output.out = out.string();
  options.output.force = true;
  options.state.save_minutes = 0;  // what is lost by a kill is one run at most
  options.gradients = &gradients;
  options.references = &references;
  return Unlearn(workspace, task, options);
}

// Puts beside the figures of the run those of the models that it is compared with, where the run
// does not have them itself, as an attack does.
void Compare(const SweepRun& run, SharedWork& shared, RunFigures& figures) {
  const auto fill = [&](MeasuredFigure ComparedFigure::*side,
                        const std::map<std::string, MeasuredFigure>& others) {
    for (auto& [name, figure] : figures) {
      const auto other = others.find(name);
      if (other != others.end() && !(figure.*side).value) figure.*side = other->second;
    }
  };
  fill(&ComparedFigure::before, shared.FiguresOfBefore(run));
  fill(&ComparedFigure::reference, shared.FiguresOfReference(run));
}

}  // namespace

std::optional<RunOutcome> OutcomeOf(const SweepRun& run, const Ledger& ledger, SharedWork& shared) {
  std::optional<Json> document = ledger.ResultOf(run.hash);
  if (!document) return std::nullopt;
  RunOutcome outcome{.figures = FiguresFromJson(document->at("figures")),
                     .attacked = document->at("attacked")};
  Compare(run, shared, outcome.figures);
  outcome.document = *std::move(document);
  return outcome;
}

RunOutcome DoRun(const SweepRun& run, const SweepFile& file, const Ledger& ledger,
                 SharedWork& shared, bool keep,
                 const std::function<bool(const RunFigures&)>& is_hopeless) {
  const Stopwatch clock;
  const fs::path work = ledger.EmptyWork(run.hash);
  const fs::path model = keep ? ledger.checkpoints() / run.hash : work / "model";
  Json seconds = Json::object();
  const auto timed = [&](const char* stage, const auto& stage_work) {
    const Stopwatch stage_clock;
    auto result = stage_work();
    seconds[stage] = stage_clock.seconds();
    return result;
  };
  const UnlearnResult unlearned =
      timed("unlearn", [&] { return UnlearnTo(run, ledger, shared, model); });
  seconds["locate"] = unlearned.located.seconds;
  seconds["tune"] = unlearned.tuned.seconds;
  RunOutcome outcome;
  RunFigures stored;
  bool hopeless = false;
  if (file.evaluates) {
    SweepEval settings = run.eval;
    settings.where.model.model = model.string();
    settings.evaluate.suite.reference = shared.ReferenceFile(run).string();
    settings.evaluate.output.out = (work / "eval.json").string();
    const Json results = timed("eval", [&] { return Evaluate(settings.where, settings.evaluate); });
    for (auto& [name, figure] :
         FiguresOfEval(results, shared.EvalOfReference(run), shared.EvalOfBefore(run))) {
      stored[name] = {.model = std::move(figure)};
    }
    outcome.figures = stored;
    Compare(run, shared, outcome.figures);
    hopeless = is_hopeless(outcome.figures);
  }
  if (file.attacks && !hopeless) {
    SweepAttack settings = run.attack;
    const Json known = shared.KnownAttacks(run);
    settings.where.model.model = model.string();
    settings.attack.known = &known;
    const Json results =
        timed("attack", [&] { return RunAttack(settings.where, settings.attack); });
    for (auto& [name, figure] : FiguresOfAttack(results)) {
      if (outcome.figures.contains(name)) {
        Defect("sweep", "the evaluation and the attack both have a figure '{}'", name);
      }
      stored[name] = outcome.figures[name] = std::move(figure);
    }
    outcome.attacked = true;
  }
  seconds["all"] = clock.seconds();
  ComputeOptions compute = run.unlearn.where.compute;
  SettleDevice(compute);
  outcome.document = {{"format", "grin-sweep-run-1"},
                      {"settings", RecipeOf(run.unlearn)},
                      {"seed", run.seed},
                      {"figures", FiguresToJson(stored)},
                      {"attacked", outcome.attacked},
                      {"guard", unlearned.tuned.guard},
                      {"steps", unlearned.tuned.steps},
                      {"kept_step", unlearned.tuned.kept_step},
                      {"changed_weights", unlearned.mask.count()},
                      {"seconds", std::move(seconds)},
                      {"grin_version", Version()},
                      {"processor", ProcessorName()},
                      {"device", compute.device}};
  ledger.WriteResult(run.hash, outcome.document);
  ledger.RemoveWork(run.hash);
  return outcome;
}

void MakeCheckpoint(const SweepRun& run, const Ledger& ledger, SharedWork& shared,
                    const fs::path& out) {
  UnlearnTo(run, ledger, shared, out);
}

}  // namespace grin
