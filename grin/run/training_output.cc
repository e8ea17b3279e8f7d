#include "grin/run/training_output.h"

#include <sstream>

#include "grin/base/error.h"
#include "grin/base/hash.h"
#include "grin/base/log.h"
#include "grin/base/memory.h"
#include "grin/base/processor.h"
#include "grin/io/model_fingerprint.h"
#include "grin/run/provenance.h"
#include "grin/run/shared_start.h"

namespace grin {

namespace {

namespace fs = std::filesystem;

// Of a set as it is trained on: tokens, labels and their weights.
std::string SequencesFingerprint(const std::vector<Sequence>& sequences) {
  uint64_t state = Fnv1a64({});
  const auto add = [&](const auto& list) {
    const size_t size = list.size();
    state = Fnv1a64({reinterpret_cast<const char*>(&size), sizeof(size)}, state);
    state = Fnv1a64({reinterpret_cast<const char*>(list.data()), size * sizeof(list[0])}, state);
  };
  for (const Sequence& sequence : sequences) {
    add(sequence.tokens);
    add(sequence.labels);
    add(sequence.label_weights);
  }
  return fmt::format("{:016x}", state);
}

// grin.json of an output that a run of this hash has written.
std::optional<Json> ReadWhole(const std::string& out, const Json& run_hash) {
  std::error_code error;
  const fs::path path = fs::path(out) / "grin.json";
  if (!fs::is_regular_file(path, error)) return std::nullopt;
  Json document = Json::parse(ReadFile(path), nullptr, false);
  if (!document.is_object() || document.value("run_hash", Json()) != run_hash) return std::nullopt;
  return document;
}

}  // namespace

void CheckTrainingOutput(const OutputOptions& output, const StateOptions& state) {
  CheckStateOptions(state);
  std::error_code error;
  if (output.out.empty() || (state.resume && fs::exists(output.out, error))) return;
  CheckOutput(output, OutputKind::kDirectory);
}

TrainingOutput::TrainingOutput(const OutputOptions& output, const Workspace& workspace,
                               const Json& document)
    : ranks_(workspace.model.ranks), out_(output.out), model_(workspace.checkpoint->path().string()) {
  if (!out_.empty()) directory_.emplace(output, *workspace.checkpoint, document);
}

TrainingOutput::TrainingOutput(const OutputOptions& output, const StateOptions& state,
                               const Workspace& workspace, Json files, Json& document)
    : ranks_(workspace.model.ranks), out_(output.out), model_(workspace.checkpoint->path().string()) {
  if (out_.empty() && ranks_->alone()) return;
  AddModelFiles(*workspace.checkpoint, files);
  Json identity = {{"version", document.at("grin_version")},
                   {"command", document.at("command")},
                   {"recipe", document.at("recipe")},
                   {"files", std::move(files)}};
  document["run_hash"] = Fingerprint(identity.dump());
  CheckAlike(*ranks_, identity);
  identity["processor"] = ProcessorName();
  if (state.resume && !out_.empty()) whole_ = ReadWhole(out_, document["run_hash"]);
  if (const Json shared = ShareJson(*ranks_, whole_.value_or(Json())); !shared.is_null()) {
    whole_ = shared;
    if (!ranks_->first()) return;
    RunState::Discard(out_);
    Info("{}: is whole already, made by these settings from these files; nothing is to be done",
         out_);
    return;
  }
  if (!out_.empty()) {
    if (!state.resume) CheckOutput(output, OutputKind::kDirectory);
    directory_.emplace(output, *workspace.checkpoint, document);
    state_.emplace(out_, output.force, state, identity);
    state_->KeepFree(OutputBytes(*workspace.checkpoint));
  }
  has_step_ = ShareJson(*ranks_, state_ && state_->has_step()).get<bool>();
}

std::optional<RunState::Start> TrainingOutput::TakeStart() {
  return ShareStart(*ranks_, state_ ? state_->TakeStart() : std::nullopt);
}

TuneHooks TrainingOutput::Hooks() {
  TuneHooks hooks = state_ ? state_->Hooks() : TuneHooks{};
  hooks.go_on_from = ShareStep(*ranks_, std::move(hooks.go_on_from));
  return hooks;
}

void ThrowInterrupted(const Error& error, const std::string& advice) {
  std::string message = error.what();  // "[room] message"
  const size_t room = message.find("] ");
  message = room == std::string::npos ? message : message.substr(room + 2);
  throw Error(ErrorClass::kInterrupted, "grin",
              fmt::format("{}; {}", message.substr(0, message.find(';')), advice));
}

void TrainingOutput::AddAdvice(const Error& error) const {
  if (!state_) return;
  if (error.error_class() == ErrorClass::kInterrupted) {
    ThrowInterrupted(error, state_->Advice());
  }
  if (state_->saved()) Warn("{}: {}", StatePathOf(out_).string(), state_->Advice());
}

void TrainingOutput::Finish(Trainable& trainable, const Mask* mask, const TuneReport& tuned,
                            const Stopwatch& clock, Json& document) {
  document["inputs"]["model"] = ValidUtf8(model_);
  if (mask) document["mask"] = DescribeMask(*mask);
  document["tune"] = DescribeTuning(tuned);
  const double seconds = clock.seconds() + (state_ ? state_->seconds_before() : 0);
  document["cost"]["seconds"] = seconds;
  if (!ranks_->alone()) {
    document["cost"]["processes"] = ranks_->world();
    document["cost"]["bytes_sent"] = ranks_->bytes_sent();
  }
  if (directory_) {
    directory_->Write(&trainable, document, mask, tuned.log);
    if (state_) state_->Remove();
  }
  ranks_->Barrier();  // nobody goes before the output is whole
  if (!directory_) return;
  // Steps of an optimiser have a learning rate; what other methods log are no steps.
  const std::string steps =
      tuned.last.contains("lr")
          ? fmt::format(" after {} step{}", tuned.steps, tuned.steps == 1 ? "" : "s")
          : "";
  Info("wrote {}{} in {}; peak memory {:.2f} GB", out_, steps, FormatDuration(seconds),
       static_cast<double>(PeakMemory()) / 1e9);
  if (mask) {
    Info("check it with: grin diff {} {} --mask {}/mask.safetensors", model_, out_, out_);
  }
}

void ThrowIfGuarded(const TuneReport& report, const std::string& out) {
  if (report.guard.empty()) return;
  throw Error(ErrorClass::kGuard, "tune",
              fmt::format("{}; {} holds the state after step {}; lower --lr or --gamma",
                          report.guard, out, report.kept_step));
}

TuneReport ReadTuneReport(const fs::path& out, const Json& document) {
  const Json& tune = document.at("tune");
  TuneReport report{.steps = tune.at("steps"),
                    .kept_step = tune.at("kept_step"),
                    .tokens = tune.at("tokens"),
                    .seconds = tune.at("seconds"),
                    .guard = tune.at("guard").get<std::string>(),
                    .first = tune.at("first"),
                    .last = tune.at("last")};
  std::error_code error;
  if (fs::exists(out / "log.jsonl", error)) {
    std::istringstream lines(ReadFile(out / "log.jsonl"));
    for (std::string line; std::getline(lines, line);) report.log.push_back(Json::parse(line));
  }
  return report;
}

Json TaskFiles(const Workspace& workspace, const LoadedTask& loaded) {
  Json files = Json::object();
  AddSet("forget", loaded.inputs.value("forget", Json::object()), loaded.task.forget_sequences,
         files);
  AddSet("retain", loaded.inputs.value("retain", Json::object()), loaded.task.retain_sequences,
         files);
  AddFile(files, workspace.options.data.template_name);
  return files;
}

Json DataFiles(const Workspace& workspace, const LoadedData& data) {
  Json files = Json::object();
  AddSet("data", data.input, data.sequences, files);
  AddFile(files, workspace.options.data.template_name);
  return files;
}

void AddModelFiles(const Checkpoint& checkpoint, Json& files) {
  const std::string path = checkpoint.path().string();
  files[ValidUtf8(path)] = ModelFingerprint(checkpoint);
  for (const SideFile& file : checkpoint.side_files()) {
    files[ValidUtf8(path + "/" + file.name)] =
        file.text ? Fingerprint(*file.text) : FileFingerprint(file.path);
  }
}

void AddSet(const std::string& name, const Json& input, const std::vector<Sequence>& sequences,
            Json& files) {
  if (input.contains("path")) files[input.at("path").get<std::string>()] = input.at("fingerprint");
  files["the " + name + " set in tokens"] = SequencesFingerprint(sequences);
}

void AddFile(Json& files, const std::string& name) {
  std::error_code error;
  if (!name.empty() && fs::is_regular_file(name, error)) {
    files[ValidUtf8(name)] = FileFingerprint(name);
  }
}

}  // namespace grin
