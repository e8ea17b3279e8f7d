#include "grin/run/attack.h"

#include <algorithm>
#include <filesystem>
#include <optional>

#include "grin/attack/attack_results.h"
#include "grin/attack/parts.h"
#include "grin/base/atomic_file.h"
#include "grin/base/error.h"
#include "grin/base/log.h"
#include "grin/base/memory.h"
#include "grin/base/hash.h"
#include "grin/base/listener.h"
#include "grin/base/processor.h"
#include "grin/base/progress.h"
#include "grin/gguf/open_checkpoint.h"
#include "grin/model/config.h"
#include "grin/run/attack_work.h"
#include "grin/run/budget.h"
#include "grin/run/device.h"
#include "grin/run/output.h"
#include "grin/run/provenance.h"
#include "grin/run/shared_start.h"
#include "grin/run/training_output.h"

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
  AttackRun(const WorkspaceOptions& where, const AttackRunOptions& options, std::vector<Role> roles)
      : where_(where),
        options_(options),
        roles_(std::move(roles)),
        attacks_(ChosenAttacks(options.attack)) {
    attacked_.push_back({.attack = &PlainQuestions()});
    for (const Attack* attack : attacks_) attacked_.push_back({.attack = attack});
    before_ = OpenCheckpoint(options.before);
  }

  // Opens the model, reads the sets, and checks what can be checked before the work.
  void Open() {
    first_ = OpenRole(roles_[0]);
    const AttackInput input = Input();
    for (const Attack* attack : attacks_) attack->check(input);
    for (const Role& role : roles_) {
      if (const Json* known = KnownOf(role)) {
        models_[role.name] = known->at("model");
        files_[ValidUtf8(role.path)] = known->at("model").at("fingerprint");
        continue;
      }
      auto checkpoint = first_->checkpoint;
      if (&role != &roles_.front()) {  // its tokens; the weights come later
        Workspace other = ForRole(role);
        other.checkpoint = checkpoint = OpenCheckpoint(role.path);
        other.model.config = ParseModelConfig(checkpoint->config(),
                                              checkpoint->path().string() + "/config.json");
        OpenEncoder(other);
        Read(other, role);
      }
      AddModelFiles(*checkpoint, files_);
      models_[role.name] = {
          {"path", ValidUtf8(role.path)},
          {"description", ValidUtf8(checkpoint->Describe())},
          {"fingerprint", files_.at(ValidUtf8(checkpoint->path().string()))}};
    }
    files_.update(TaskFiles(*first_, data_->task));
    AddSet("general", data_->general.input, data_->general.sequences, files_);
  }

  // Whatever is read, with a fingerprint of its content.
  const Json& files() const { return files_; }

  // Attacks all models, one in memory at a time.
  void AttackAll(AttackWork& work) {
    std::vector<AttackWork::Task> tasks;
    for (const Role& role : roles_) {
      if (KnownOf(role)) continue;
      for (const AttackedModels& one : attacked_) {
        tasks.push_back({role.name, std::string(one.attack->name), one.attack->work(Input())});
      }
    }
    work.Plan(std::move(tasks));
    for (const Role& role : roles_) {
      if (const Json* known = KnownOf(role)) {
        TakeKnown(role, known->at("figures"));
        continue;
      }
      const Workspace workspace =
          first_ ? std::move(*first_) : OpenWorkspace(ForRole(role).options);
      first_.reset();
      On(role, workspace, work);
    }
  }

  const std::vector<AttackedModels>& attacked() const { return attacked_; }

  // The figures of the one role, by attack.
  Json Figures() const {
    Json figures = Json::object();
    for (const AttackedModels& one : attacked_) {
      Json& list = figures[std::string(one.attack->name)] = Json::array();
      for (const AttackFigure& figure : one.*roles_.front().figures) {
        list.push_back(FigureToJson(figure));
      }
    }
    return figures;
  }

  const Json& models() const { return models_; }
  const AttackedData& data() const { return *data_; }

 private:
  const Json* KnownOf(const Role& role) const {
    if (!options_.known || !options_.known->contains(role.name)) return nullptr;
    return &options_.known->at(role.name);
  }

  void TakeKnown(const Role& role, const Json& figures) {
    for (AttackedModels& one : attacked_) {
      for (const Json& figure : figures.at(std::string(one.attack->name))) {
        (one.*role.figures).push_back(FigureFromJson(figure));
      }
    }
  }

  // The first model's sets, tokenizer and template serve all of them.
  Workspace OpenRole(const Role& role) {
    Workspace workspace = OpenWorkspace(ForRole(role).options);
    Read(workspace, role);
    return workspace;
  }

  // Where nothing is open yet.
  Workspace ForRole(const Role& role) const {
    Workspace workspace{.options = where_};
    workspace.options.model.model = role.path;
    return workspace;
  }

  AttackInput Input() const {
    return {.options = options_.attack,
            .encoder = *data_->encoder,
            .task = data_->task.task,
            .general = data_->general.sequences,
            .seed = static_cast<uint64_t>(where_.compute.seed)};
  }

  void On(const Role& role, const Workspace& workspace, AttackWork& work) {
    const AttackInput input = Input();
    Subject subject = SubjectOf(workspace, role);
    subject.parts = &work;
    for (AttackedModels& one : attacked_) {
      const Stopwatch clock;
      work.Begin();
      one.*role.figures =
          InStage(where_.compute, "attacking",
                  "a smaller --batch-size continues fewer prompts at once; relearning needs memory "
                  "for every weight's optimiser state",
                  [&] { return one.attack->run(input, subject); });
      const std::optional<double> left = work.End();
      Info("attack: {} on {} in {}{}", one.attack->name, role.name, FormatDuration(clock.seconds()),
           left.value_or(0) > 0 ? fmt::format("; about {} left", FormatDuration(*left)) : "");
    }
  }

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
  std::vector<Role> roles_;
  std::vector<const Attack*> attacks_;
  std::optional<Workspace> first_;  // of the model, until it is attacked
  std::vector<AttackedModels> attacked_;
  std::shared_ptr<const Checkpoint> before_;
  std::optional<AttackedData> data_;
  Json models_ = Json::object(), files_ = Json::object();
};

// The results of an earlier run of this hash.
std::optional<Json> ReadWholeResults(const std::string& path, const Json& run_hash) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) return std::nullopt;
  Json results = Json::parse(ReadFile(path), nullptr, false);
  if (!results.is_object()) return std::nullopt;
  const Json document = results.value("grin", Json::object());
  if (!document.is_object() || document.value("run_hash", Json()) != run_hash) return std::nullopt;
  return results;
}

}  // namespace

void CheckRun(const ComputeOptions& compute, const AttackRunOptions& options) {
  FindDevice(compute.device);
  if (options.before.empty()) BadUsage("attack", "--before is required; see --help");
  const AttackOptions& attack = options.attack;
  ChosenAttacks(attack);
  if (attack.batch_size < 0 || attack.max_new_tokens < 0 || attack.retain_limit < 0) {
    BadUsage("attack", "--batch-size, --max-new-tokens and --retain-limit must be 0 or more");
  }
  CheckStateOptions(options.state);
  std::error_code error;
  const std::string& out = options.output.out;
  if (out.empty() || (options.state.resume && std::filesystem::exists(out, error))) return;
  CheckOutput(options.output, OutputKind::kFile);
}

Json AttackAlone(const WorkspaceOptions& asked, const AttackRunOptions& options,
                 const std::string& role) {
  CheckRun(asked.compute, options);
  WorkspaceOptions where = asked;
  SettleDevice(where.compute);
  std::vector<Role> roles = RolesOf(where, options);
  std::erase_if(roles, [&](const Role& one) { return one.name != role; });
  if (roles.size() != 1) Defect("attack", "there is no model of the role '{}'", role);
  AttackRun run(where, options, std::move(roles));
  run.Open();
  AttackWork work(where.ranks);
  const ListenerScope scope(work.OverallListener());
  run.AttackAll(work);
  return {{"model", run.models().at(role)}, {"figures", run.Figures()}};
}

Json RunAttack(const WorkspaceOptions& asked, const AttackRunOptions& options) {
  const Stopwatch clock;
  CheckRun(asked.compute, options);
  WorkspaceOptions where = asked;
  SettleDevice(where.compute);
  const std::string& out = options.output.out;
  std::optional<AtomicFile> file;
  if (!out.empty()) file.emplace(out);
  Json document = Provenance("attack", RecipeOf(where, options));
  document["format"] = "grin-results-1";
  document["suite"] = "attack";
  document["model"] = ValidUtf8(where.model.model);
  AttackRun run(where, options, RolesOf(where, options));
  run.Open();
  const Ranks& ranks = where.ranks ? *where.ranks : *OneProcess();
  std::optional<AttackWork> work;
  Json identity = {{"version", document.at("grin_version")},
                   {"command", document.at("command")},
                   {"recipe", document.at("recipe")},
                   {"files", run.files()}};
  CheckAlike(ranks, identity);
  if (!out.empty()) document["run_hash"] = Fingerprint(identity.dump());
  identity["processor"] = ProcessorName();
  std::optional<Json> whole;
  if (!out.empty() && options.state.resume) whole = ReadWholeResults(out, document["run_hash"]);
  if (Json shared = ShareJson(ranks, whole.value_or(Json())); !shared.is_null()) {
    if (!ranks.first()) return shared;
    StateDirectory::Discard(out);
    Info("{}: is whole already, made by these settings from these files; nothing is to be done", out);
    return shared;
  }
  if (out.empty()) {
    work.emplace(where.ranks);
  } else {
    if (options.state.resume) CheckOutput(options.output, OutputKind::kFile);
    work.emplace(out, options.output.force, options.state, identity, where.ranks);
  }
  try {
    const ListenerScope scope(work->OverallListener());
    run.AttackAll(*work);
  } catch (const Error& error) {
    if (error.error_class() == ErrorClass::kInterrupted) ThrowInterrupted(error, work->Advice());
    throw;
  }
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
  document["seconds"] = clock.seconds() + work->seconds_before();
  document["peak_memory"] = PeakMemory();
  results["grin"] = document;
  if (file) {
    file->Write(results.dump(1, ' ', false, Json::error_handler_t::replace) + "\n");
    file->Commit();
    work->Remove();
    Info("attack: done in {}; written to {}", FormatDuration(document["seconds"].get<double>()), out);
  }
  return results;
}

}  // namespace grin
