#include "grin/sweep/shared_work.h"

#include <algorithm>

#include "grin/base/atomic_file.h"
#include "grin/base/error.h"
#include "grin/base/hash.h"
#include "grin/base/log.h"
#include "grin/base/processor.h"
#include "grin/base/version.h"
#include "grin/run/provenance.h"
#include "grin/suite/results.h"

namespace grin {
namespace {

namespace fs = std::filesystem;

// "" where there is no such file.
std::string TextIn(const fs::path& path) {
  std::error_code error;
  return fs::is_regular_file(path, error) ? ReadFile(path) : "";
}

// A results file rather than a model.
bool IsResultsFile(const std::string& name) {
  std::error_code error;
  return fs::is_regular_file(name, error) && fs::path(name).extension() == ".json";
}

}  // namespace

bool SharedWork::IsMade(const SweepFinetune& finetune) {
  const Json record =
      Json::parse(TextIn(ledger_.models() / (finetune.name + ".json")), nullptr, false);
  std::error_code error;
  return record.is_object() && record.value("hash", "") == identities_.OfFinetune(finetune) &&
         fs::is_directory(finetune.finetune.output.out, error);
}

void SharedWork::MakeModels() {
  // Those that do not need each other are made side by side by several processes.
  bool told = false;
  for (;;) {
    bool all = true, one_made = false;
    for (const SweepFinetune& finetune : file_.finetunes) {
      if (IsMade(finetune)) continue;
      all = false;
      const std::string source = file_.paths.MadeModel(finetune.where.model.model);
      const auto made = std::ranges::find(file_.finetunes, source, &SweepFinetune::name);
      if (made != file_.finetunes.end() && !IsMade(*made)) continue;
      const auto claim = Claim::Try(ledger_.LockOf("model-" + finetune.name));
      if (!claim) continue;
      if (!IsMade(finetune)) MakeModel(finetune);
      one_made = true;
    }
    if (all) return;
    if (one_made) continue;
    if (!told) Info("waiting for another process: models are being made");
    told = true;
    WaitAMoment();
  }
}

void SharedWork::MakeModel(const SweepFinetune& finetune) {
  const std::string hash = identities_.OfFinetune(finetune);
  const fs::path out = finetune.finetune.output.out;
  const fs::path made = ledger_.models() / (finetune.name + ".json"),
                 begun = ledger_.models() / (finetune.name + ".begun");
  std::error_code error;
  fs::remove(made, error);
  FinetuneRunOptions options = finetune.finetune;
  options.output.force = true;
  // A state of other settings, or of another program, is thrown away.
  const std::string by =
      Fingerprint(hash + Version() + ProcessorName() + RecipeOf(finetune).dump());
  options.state.resume = TextIn(begun) == by;
  if (!options.state.resume) {
    fs::remove_all(out, error);
    WriteFile(begun, by);
  }
  Info("making the model '{}'", finetune.name);
  Workspace workspace = OpenWorkspace(finetune.where);
  const TrainResult result = RunFinetune(workspace, options);
  if (!result.tuned.guard.empty()) {
    Warn("the model '{}': {}; the state after step {} is used", finetune.name, result.tuned.guard,
         result.tuned.kept_step);
  }
  const Json record = {{"hash", hash},
                       {"guard", result.tuned.guard},
                       {"steps", result.tuned.steps},
                       {"seconds", result.tuned.seconds}};
  WriteFile(made, record.dump() + "\n");
  fs::remove(begun, error);
}

fs::path SharedWork::EvalFile(SweepEval settings, const std::string& model) {
  Json identity = identities_.OfEval(settings);
  identity["model"] = identities_.OfFiles("model", model);
  const std::string name = "eval-" + Fingerprint(identity.dump());
  const fs::path path = ledger_.shared() / (name + ".json");
  std::error_code error;
  if (fs::exists(path, error)) return path;
  const Claim claim = Claim::Wait(ledger_.LockOf(name), "the evaluation of " + model);
  if (fs::exists(path, error)) return path;
  settings.where.model.model = model;
  settings.evaluate.output.out = path.string();
  Evaluate(settings.where, settings.evaluate);
  return path;
}

fs::path SharedWork::ReferenceFile(const SweepRun& run) {
  const std::string& reference = run.eval.evaluate.suite.reference;
  if (!file_.evaluates || reference.empty() || IsResultsFile(reference)) return reference;
  SweepEval settings = run.eval;
  settings.evaluate.suite.reference.clear();
  return EvalFile(std::move(settings), reference);
}

const Json* SharedWork::ResultsIn(const fs::path& file) {
  if (file.empty()) return nullptr;
  const auto found = results_.find(file.string());
  if (found != results_.end()) return &found->second;
  return &(results_[file.string()] = LoadResults(file));
}

const Json* SharedWork::EvalOfReference(const SweepRun& run) {
  return file_.evaluates ? ResultsIn(ReferenceFile(run)) : nullptr;
}

fs::path SharedWork::BeforeFile(const SweepRun& run) {
  if (!file_.evaluates) return {};
  SweepEval settings = run.eval;
  settings.evaluate.suite.reference = ReferenceFile(run).string();
  return EvalFile(std::move(settings), run.unlearn.where.model.model);
}

const Json* SharedWork::EvalOfBefore(const SweepRun& run) { return ResultsIn(BeforeFile(run)); }

const std::map<std::string, MeasuredFigure>& SharedWork::FiguresIn(const SweepRun& run,
                                                                   const fs::path& file) {
  const fs::path reference = ReferenceFile(run), before = BeforeFile(run);
  const std::string key =
      fmt::format("{}\n{}\n{}", file.string(), reference.string(), before.string());
  const auto found = figures_.find(key);
  if (found != figures_.end()) return found->second;
  auto& figures = figures_[key];
  if (const Json* results = ResultsIn(file)) {
    figures = FiguresOfEval(*results, ResultsIn(reference), ResultsIn(before));
  }
  return figures;
}

const std::map<std::string, MeasuredFigure>& SharedWork::FiguresOfBefore(const SweepRun& run) {
  return FiguresIn(run, BeforeFile(run));
}

const std::map<std::string, MeasuredFigure>& SharedWork::FiguresOfReference(const SweepRun& run) {
  return FiguresIn(run, file_.evaluates ? ReferenceFile(run) : fs::path());
}

Json SharedWork::AttackAloneOnce(const SweepAttack& settings, const std::string& role) {
  Json identity = identities_.OfAttack(settings);
  if (role == "before") identity.erase("reference");
  const std::string name = fmt::format("attack-{}-{}", role, Fingerprint(identity.dump()));
  return ledger_.Once(name, "the attack on the model '" + role + "'", [&] {
    SweepAttack alone = settings;
    alone.where.model.model = role == "before" ? alone.attack.before : alone.attack.reference;
    return AttackAlone(alone.where, alone.attack, role);
  });
}

Json SharedWork::KnownAttacks(const SweepRun& run) {
  if (!file_.attacks) return nullptr;
  Json known = {{"before", AttackAloneOnce(run.attack, "before")}};
  if (!run.attack.attack.reference.empty()) {
    known["reference"] = AttackAloneOnce(run.attack, "reference");
  }
  return known;
}

}  // namespace grin
