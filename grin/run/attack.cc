#include "grin/run/attack.h"

#include <algorithm>
#include <optional>

#include "grin/attack/attack_results.h"
#include "grin/base/atomic_file.h"
#include "grin/base/error.h"
#include "grin/base/log.h"
#include "grin/base/memory.h"
#include "grin/base/progress.h"
#include "grin/gguf/open_checkpoint.h"
#include "grin/io/model_fingerprint.h"
#include "grin/run/budget.h"
#include "grin/run/device.h"
#include "grin/run/output.h"
#include "grin/run/provenance.h"

namespace grin {
namespace {

// The models in the order in which they are attacked.
struct Role {
  const char* name;  // as in the results: "model" is what they call agg_value
  const char* flag;
  std::string path;
  std::vector<AttackFigure> AttackedModels::*figures;
};

std::vector<Role> RolesOf(const WorkspaceOptions& where, const AttackRunOptions& options) {
  std::vector<Role> roles = {{"model", "--model", where.model.model, &AttackedModels::model},
                             {"before", "--before", options.before, &AttackedModels::before}};
  if (!options.reference.empty()) {
    roles.push_back({"reference", "--reference", options.reference, &AttackedModels::reference});
  }
  return roles;
}

void CheckSameTokens(const Role& role, const std::vector<Sequence>& first,
                     const std::vector<Sequence>& other) {
  const auto refuse = [&](const std::string& where) {
    BadInput(
        "attack",
        "{} {}: reads {} as other tokens than --model; all models must have the same tokenizer "
        "and template",
        role.flag, role.path, where);
  };
  if (first.size() != other.size()) refuse("the data");
  for (size_t i = 0; i < first.size(); ++i) {
    if (first[i].tokens != other[i].tokens || first[i].labels != other[i].labels) {
      refuse(first[i].where);
    }
  }
}

// What is the same for all models: the sets as the first one reads them.
struct AttackedData {
  LoadedTask task;
  LoadedData general;
  std::unique_ptr<Encoder> encoder;
};

class AttackRun {
 public:
  AttackRun(const WorkspaceOptions& where, const AttackRunOptions& options)
      : where_(where), options_(options), attacks_(ChosenAttacks(options.attack)) {
    attacked_.push_back({.attack = &PlainQuestions()});
    for (const Attack* attack : attacks_) attacked_.push_back({.attack = attack});
    before_ = OpenCheckpoint(options.before);
  }

  // Attacks one model. The first one's sets, tokenizer and template serve all of them.
  void On(const Role& role) {
    WorkspaceOptions where = where_;
    where.model.model = role.path;
    Workspace workspace = OpenWorkspace(where);
    models_[role.name] = {{"path", ValidUtf8(role.path)},
                          {"description", ValidUtf8(workspace.checkpoint->Describe())},
                          {"fingerprint", ModelFingerprint(*workspace.checkpoint)}};
    Read(workspace, role);
    const AttackInput input{.options = options_.attack,
                            .encoder = *data_->encoder,
                            .task = data_->task.task,
                            .general = data_->general.sequences,
                            .seed = static_cast<uint64_t>(where.compute.seed)};
    if (role.figures == &AttackedModels::model) {
      for (const Attack* attack : attacks_) attack->check(input);
    }
    const Subject subject = SubjectOf(workspace, role);
    for (AttackedModels& one : attacked_) {
      const Stopwatch clock;
      one.*role.figures =
          InStage(where.compute, "attacking",
                  "a smaller --batch-size continues fewer prompts at once; relearning needs memory "
                  "for every weight's optimiser state",
                  [&] { return one.attack->run(input, subject); });
      Info("attack: {} on {} in {}", one.attack->name, role.name, FormatDuration(clock.seconds()));
    }
  }

  const std::vector<AttackedModels>& attacked() const { return attacked_; }
  const Json& models() const { return models_; }
  const AttackedData& data() const { return *data_; }

 private:
  void Read(Workspace& workspace, const Role& role) {
    LoadedTask task = LoadTask(workspace, options_.task);
    LoadedData general;
    if (!options_.attack.general.empty()) general = LoadData(workspace, options_.attack.general);
    if (!data_) {
      data_ = {std::move(task), std::move(general), std::move(workspace.encoder)};
      return;
    }
    CheckSameTokens(role, data_->task.task.forget_sequences, task.task.forget_sequences);
    CheckSameTokens(role, data_->task.task.retain_sequences, task.task.retain_sequences);
    CheckSameTokens(role, data_->general.sequences, general.sequences);
  }

  Subject SubjectOf(const Workspace& workspace, const Role& role) const {
    const Model& model = workspace.model;
    const ComputeOptions& compute = workspace.options.compute;
    const int64_t longest =
        std::max(LongestOf(data_->task.task), LongestOf(data_->general.sequences));
    const bool trains = std::ranges::any_of(attacks_, &Attack::trains);
    const GenerationBudget generation = BudgetGeneration(model, compute);
    return {
        .role = role.name,
        .model = model,
        .before = role.figures == &AttackedModels::before ? nullptr : before_.get(),
        .training_tokens =
            trains ? RecordedPassTokens(model, compute, TrainedBytes(model, false), longest) : 0,
        .scoring_tokens = ScoringPassTokens(model, compute, 0, longest),
        .cache_bytes = generation.cache_bytes,
        .prefill_tokens = generation.prefill_tokens};
  }

  const WorkspaceOptions& where_;
  const AttackRunOptions& options_;
  std::vector<const Attack*> attacks_;
  std::vector<AttackedModels> attacked_;
  std::shared_ptr<const Checkpoint> before_;
  std::optional<AttackedData> data_;
  Json models_ = Json::object();
};

}  // namespace

void CheckRun(const ComputeOptions& compute, const AttackRunOptions& options) {
  FindDevice(compute.device);
  if (options.before.empty()) BadUsage("attack", "--before is required; see --help");
  const AttackOptions& attack = options.attack;
  ChosenAttacks(attack);
  if (attack.batch_size < 0 || attack.max_new_tokens < 0 || attack.retain_limit < 0) {
    BadUsage("attack", "--batch-size, --max-new-tokens and --retain-limit must be 0 or more");
  }
  if (!options.output.out.empty()) CheckOutput(options.output, OutputKind::kFile);
}

Json RunAttack(const WorkspaceOptions& asked, const AttackRunOptions& options) {
  const Stopwatch clock;
  CheckRun(asked.compute, options);
  WorkspaceOptions where = asked;
  SettleDevice(where.compute);
  std::optional<AtomicFile> file;
  if (!options.output.out.empty()) file.emplace(options.output.out);
  Json document = Provenance("attack", RecipeOf(where, options));
  document["format"] = "grin-results-1";
  document["suite"] = "attack";
  document["model"] = ValidUtf8(where.model.model);
  AttackRun run(where, options);
  for (const Role& role : RolesOf(where, options)) run.On(role);
  Json results = AttackResults(run.attacked());
  document["model_description"] = run.models()["model"]["description"];
  document["model_fingerprint"] = run.models()["model"]["fingerprint"];
  document["models"] = run.models();
  document["inputs"] = Json::array();
  for (const auto& [set, input] : run.data().task.inputs.items()) {
    document["inputs"].push_back(input);
  }
  if (!run.data().general.input.is_null()) document["inputs"].push_back(run.data().general.input);
  document["verdict"] = AttackVerdict(results);
  document["seconds"] = clock.seconds();
  document["peak_memory"] = PeakMemory();
  results["grin"] = document;
  if (file) {
    file->Write(results.dump(1, ' ', false, Json::error_handler_t::replace) + "\n");
    file->Commit();
    Info("attack: done in {}; written to {}", FormatDuration(clock.seconds()), options.output.out);
  }
  return results;
}

}  // namespace grin
