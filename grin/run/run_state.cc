#include "grin/run/run_state.h"

#include <algorithm>

#include "grin/base/atomic_file.h"
#include "grin/base/digest.h"
#include "grin/base/error.h"
#include "grin/base/interrupt.h"
#include "grin/base/log.h"
#include "grin/run/output.h"

namespace grin {
namespace {

namespace fs = std::filesystem;

constexpr const char* kStartFile = "start.safetensors";
constexpr const char* kMaskFile = "mask.safetensors";
constexpr const char* kLogFile = "log.jsonl";
constexpr size_t kGenerations = 2;

std::string GenerationName(int64_t step) { return fmt::format("step-{:08d}.safetensors", step); }

bool IsGeneration(const fs::path& path) {
  const std::string name = path.filename().string();
  return name.starts_with("step-") && name.ends_with(".safetensors");
}

Json LocatedJson(const LocateReport& report) {
  return {{"forget_sequences", report.forget_sequences},
          {"retain_sequences", report.retain_sequences},
          {"epsilon", ExactJson(report.epsilon)},
          {"share_below_epsilon", ExactJson(report.share_below_epsilon)},
          {"seconds", ExactJson(report.seconds)}};
}

LocateReport LocatedFrom(const Json& json) {
  return {.forget_sequences = json.at("forget_sequences"),
          .retain_sequences = json.at("retain_sequences"),
          .epsilon = FromExactJson(json.at("epsilon")),
          .share_below_epsilon = FromExactJson(json.at("share_below_epsilon")),
          .seconds = FromExactJson(json.at("seconds"))};
}

int64_t BytesOfState(const TuneState& state) {
  if (state.finished) return static_cast<int64_t>(state.master.nbytes());
  int64_t bytes = 0;
  for (const at::Tensor& tensor :
       {state.master, state.m, state.v, state.best.master, state.pending.master,
        state.rehearsal.adversary}) {
    if (tensor.defined()) bytes += static_cast<int64_t>(tensor.nbytes());
  }
  return bytes;
}

std::vector<fs::path> GenerationsIn(const fs::path& folder) {  // the newest first
  std::vector<fs::path> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    if (IsGeneration(entry.path())) found.push_back(entry.path());
  }
  std::ranges::sort(found, std::greater<>());
  return found;
}

std::string WhatIsSaved(const fs::path& folder) {
  const auto generations = GenerationsIn(folder);
  if (!generations.empty()) return generations.front().filename().string();
  std::error_code error;
  return fs::exists(folder / kStartFile, error) ? "before its first step" : "";
}

}  // namespace

RunState::RunState(const std::string& out, bool force, const StateOptions& options,
                   const Json& identity)
    : directory_(out, force, options, identity, WhatIsSaved) {
  if (directory_.resumed()) Load();
}

RunState::~RunState() {
  if (directory_.taken() && !saved_start_) directory_.Clear();
}

// The newest state that is whole, and what belongs to its start. Where that is not whole either, the
// run begins at the beginning.
void RunState::Load() {
  try {
    StateFile file = ReadStateFile(directory_.path() / kStartFile);
    Start start;
    start.located = LocatedFrom(file.fields.at("located"));
    if (file.fields.contains("mask_sha256")) {
      const fs::path mask = directory_.path() / kMaskFile;
      if (FileSha256(mask) != file.fields["mask_sha256"].get<std::string>()) {
        BadInput("run", "{}: the content does not match its checksum", mask.string());
      }
      start.mask = Mask::Load(mask);
    }
    start.plan = std::move(file);
    start_ = std::move(start);
  } catch (const std::exception& failure) {
    Warn("{}; the run starts from the beginning", failure.what());
    directory_.StartAnew();
    return;
  }
  saved_start_ = true;
  seconds_before_ = start_->located.seconds;
  std::error_code ignored;
  // Of saves that were killed.
  for (const auto& entry : fs::directory_iterator(directory_.path(), ignored)) {
    if (entry.path().filename().string().find(".partial") != std::string::npos) {
      fs::remove_all(entry.path(), ignored);
    }
  }
  for (const fs::path& generation : GenerationsIn(directory_.path())) {
    try {
      step_ = LoadTuneState(generation);
      break;
    } catch (const std::exception& failure) {
      Warn("{}; the state before it is taken", failure.what());
      fs::remove(generation, ignored);
    }
  }
  if (step_) {
    saved_step_ = step_->step;
    seconds_before_ += step_->seconds;
    Info("{}: the run goes on after step {}", directory_.path().string(), step_->step);
  } else {
    Info("{}: the run goes on before its first step", directory_.path().string());
  }
}

std::optional<RunState::Start> RunState::TakeStart() {
  return std::exchange(start_, std::nullopt);
}

void RunState::SaveStart(const Start& start) {
  if (!directory_.saves()) return;
  try {
    StateFile file = start.plan;
    file.fields["located"] = LocatedJson(start.located);
    if (start.mask) {
      start.mask->Save(directory_.path() / kMaskFile);
      file.fields["mask_sha256"] = FileSha256(directory_.path() / kMaskFile);
    }
    WriteStateFile(directory_.path() / kStartFile, file);
    saved_start_ = true;
  } catch (const Error& failure) {
    directory_.StopSaving(failure.what());
  }
}

void RunState::Save(const TuneState& state) {
  if (!directory_.saves()) return;
  last_save_ = std::chrono::steady_clock::now();
  std::error_code ignored;
  for (bool again = true; again;) {
    again = false;
    try {
      if (FreeSpace(directory_.path()) < static_cast<double>(kept_free_ + BytesOfState(state))) {
        BadInput("run", "{}: the disk is too full for a state, beside the room that the output needs",
                 directory_.path().string());
      }
      SaveTuneState(directory_.path() / GenerationName(state.step), state);
      saved_step_ = state.step;
    } catch (const Error& failure) {
      const auto generations = GenerationsIn(directory_.path());
      again = generations.size() >= kGenerations;  // the oldest one makes room
      if (again) {
        fs::remove(generations.back(), ignored);
      } else {
        Warn("{}; the run goes on without this state", failure.what());
      }
    }
  }
  const auto generations = GenerationsIn(directory_.path());
  for (size_t i = kGenerations; i < generations.size(); ++i) fs::remove(generations[i], ignored);
}

void RunState::BetweenSteps(const TuneState& state) {
  const std::chrono::duration<double> since = std::chrono::steady_clock::now() - last_save_;
  const bool interrupted = Interrupted();
  const bool due = since.count() >= 60 * directory_.options().save_minutes;
  if (state.finished || interrupted || due) Save(state);
  if (!interrupted) return;
  throw Error(ErrorClass::kInterrupted, "run", fmt::format("interrupted after step {}", state.step));
}

TuneHooks RunState::Hooks() {
  TuneHooks hooks;
  if (directory_.taken()) {
    log_.open(directory_.path() / kLogFile, std::ios::trunc);
    if (step_) {
      for (const Json& record : step_->log) log_ << record.dump() << "\n";
      log_.flush();
    }
    hooks.log = [this](const Json& record) {
      if (log_ && !(log_ << record.dump() << std::endl)) {
        Warn("{}: cannot be written any more; the output will have the whole log",
             (directory_.path() / kLogFile).string());
      }
    };
  }
  hooks.between_steps = [this](const TuneState& state) { BetweenSteps(state); };
  hooks.go_on_from = std::exchange(step_, std::nullopt);
  last_save_ = std::chrono::steady_clock::now();
  return hooks;
}

std::string RunState::Advice() const {
  if (!saved_start_) {
    return "nothing was saved, the same command starts anew";
  }
  return fmt::format("the same command with --resume goes on {}",
                     saved_step_ ? fmt::format("after step {}", *saved_step_)
                                 : std::string("before the first step"));
}

void RunState::Remove() {
  if (!directory_.taken()) return;
  log_.close();
  directory_.Clear();
  saved_start_ = false;
  saved_step_.reset();
}

}  // namespace grin
