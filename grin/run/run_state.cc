#include "grin/run/run_state.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "grin/base/atomic_file.h"
#include "grin/base/digest.h"
#include "grin/base/error.h"
#include "grin/base/hash.h"
#include "grin/base/interrupt.h"
#include "grin/base/log.h"
#include "grin/run/output.h"

namespace grin {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kRunFormat = "grin-run-1";
constexpr const char* kRunFile = "run.json";
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

// Null where there is no such file or it is no JSON object.
Json ReadRunFile(const fs::path& path) {
  std::error_code error;
  if (!fs::exists(path, error)) return {};
  const Json json = Json::parse(ReadFile(path), nullptr, false);
  return json.is_object() ? json : Json();
}

std::string Shown(const Json* value) {
  if (!value) return "unknown";
  return value->is_string() ? fmt::format("'{}'", value->get<std::string>()) : value->dump();
}

// Calls f(name, before, now) for each name whose values differ; null where it has none.
template <typename F>
void ForEachDifference(const Json& before, const Json& now, const F& f) {
  const auto find = [](const Json& json, const std::string& name) -> const Json* {
    const auto found = json.find(name);
    return found == json.end() ? nullptr : &*found;
  };
  for (const auto& [name, value] : now.items()) {
    const Json* old = find(before, name);
    if (!old || *old != value) f(name, old, &value);
  }
  for (const auto& [name, value] : before.items()) {
    if (!find(now, name)) f(name, &value, static_cast<const Json*>(nullptr));
  }
}

}  // namespace

void CheckStateOptions(const StateOptions& options) {
  if (!(options.save_minutes >= 0)) {
    BadUsage("run", "--save-minutes is {}; it must be 0 or more", options.save_minutes);
  }
  if (options.resume && options.save_minutes == 0) {
    BadUsage("run", "--resume needs a state, --save-minutes 0 keeps none; give a number above 0");
  }
}

fs::path StatePathOf(const std::string& out) {
  constexpr size_t kLongest = 255;
  fs::path path = out;
  if (path.filename().empty()) path = path.parent_path();  // "out/" means "out"
  std::string name = path.filename().string();
  if (name.size() + 6 > kLongest) name = name.substr(0, 200) + "-" + Fingerprint(name);
  return path.replace_filename(name + ".state");
}

std::string IdentityDifferences(const Json& before, const Json& now, bool* usage) {
  std::string differences;
  const auto add = [&](const std::string& text) {
    differences += (differences.empty() ? "" : "; ") + text;
  };
  if (usage) *usage = false;
  if (before.value("command", "") != now.value("command", "")) {
    if (usage) *usage = true;
    add(fmt::format("the command was {}, it is {} now", before.value("command", ""),
                    now.value("command", "")));
  }
  ForEachDifference(before.value("recipe", Json::object()), now.value("recipe", Json::object()),
                    [&](const std::string& name, const Json* old, const Json* value) {
                      if (usage) *usage = true;
                      add(fmt::format("--{} was {}, it is {} now", name, Shown(old), Shown(value)));
                    });
  ForEachDifference(before.value("files", Json::object()), now.value("files", Json::object()),
                    [&](const std::string& name, const Json* old, const Json* value) {
                      add(fmt::format("the content of {} has changed (its fingerprint was {}, it "
                                      "is {} now)",
                                      name, Shown(old), Shown(value)));
                    });
  return differences;
}

RunState::RunState(const std::string& out, bool force, const StateOptions& options,
                   const Json& identity)
    : options_(options), out_(out), path_(StatePathOf(out)) {
  CheckStateOptions(options_);
  try {
    Open(force, identity);
  } catch (...) {
    if (directory_ >= 0) close(directory_);
    throw;
  }
}

RunState::~RunState() {
  if (directory_ < 0) return;
  if (!saved_start_) Clear();
  rmdir(path_.c_str());  // only where it is empty
  close(directory_);
}

// The lock is on the directory itself: it needs no room on the disk, and ends with the process.
void RunState::Open(bool force, const Json& identity) {
  std::error_code error;
  for (int trial = 0; directory_ < 0; ++trial) {
    if (!path_.parent_path().empty()) fs::create_directories(path_.parent_path(), error);
    if (mkdir(path_.c_str(), 0777) != 0 && errno != EEXIST) error.assign(errno, std::generic_category());
    directory_ = open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory_ < 0) {
      Warn("{}: cannot be made: {}; the run goes on, but cannot be resumed", path_.string(),
           std::strerror(errno));
      return;
    }
    if (flock(directory_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
      BadInput("run", "{}: another process is at work on {}; wait for its end, or choose another "
               "--out", path_.string(), out_);
    }
    struct stat mine {}, there {};
    const bool same = fstat(directory_, &mine) == 0 && stat(path_.c_str(), &there) == 0 &&
                      mine.st_ino == there.st_ino;
    if (!same && trial < 100) {  // another process had just done with it
      close(directory_);
      directory_ = -1;
    }
  }
  const bool something = fs::exists(path_ / kStartFile, error) || !Generations().empty();
  if (something && !options_.resume && !force) {
    const auto generations = Generations();
    BadInput("run",
             "{}: holds the state of a run that was interrupted{}; go on with it by --resume, or "
             "throw it away and start anew with --force",
             path_.string(),
             generations.empty() ? std::string(" before its first step")
                                 : " (" + generations.front().filename().string() + ")");
  }
  if (!something) {
    if (options_.resume) Info("{}: no state is saved; the run starts from the beginning", path_.string());
    Clear();
  } else if (!options_.resume) {
    Warn("{}: the state of an interrupted run is thrown away, as --force says", path_.string());
    Clear();
  } else {
    CheckIdentity(identity);
    Load();
  }
  saves_ = options_.save_minutes > 0;
  if (!saves_) return;
  try {
    Json run = identity;
    run["format"] = kRunFormat;
    if (ReadRunFile(path_ / kRunFile) != run) {
      WriteFile(path_ / kRunFile,
                run.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
    }
  } catch (const Error& failure) {
    Warn("{}; the run goes on, but cannot be resumed", failure.what());
    saves_ = false;
  }
}

void RunState::CheckIdentity(const Json& identity) const {
  const Json run = ReadRunFile(path_ / kRunFile);
  if (run.is_null()) {
    BadInput("run", "{}: {} is missing or cannot be read, so that no one can tell whose state it is; "
             "leave out --resume and start anew with --force", path_.string(), kRunFile);
  }
  if (run.value("format", "") != kRunFormat) {
    BadInput("run", "{}: grin {} wrote this state in format '{}', this version reads {}; go on with "
             "that version, or leave out --resume and start anew with --force", path_.string(),
             run.value("version", "?"), run.value("format", ""), kRunFormat);
  }
  bool usage = false;
  const std::string differences = IdentityDifferences(run, identity, &usage);
  if (!differences.empty()) {
    throw Error(usage ? ErrorClass::kUsage : ErrorClass::kBadInput, "run",
                fmt::format("{}: is the state of another run: {}; give what it was, or leave out "
                            "--resume and start anew with --force",
                            path_.string(), differences));
  }
  if (run.value("version", "") != identity.value("version", "")) {
    Warn("{}: was saved by grin {}, this is {}; the result may differ from that of a run that was "
         "not interrupted", path_.string(), run.value("version", "?"),
         identity.value("version", "?"));
  }
  if (run.value("processor", "") != identity.value("processor", "")) {
    Warn("{}: was saved on another processor ({}, this is {}); last bits of the result may differ "
         "from those of a run that was not interrupted", path_.string(),
         run.value("processor", "?"), identity.value("processor", "?"));
  }
}

std::vector<fs::path> RunState::Generations() const {
  std::vector<fs::path> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(path_, error)) {
    if (IsGeneration(entry.path())) found.push_back(entry.path());
  }
  std::ranges::sort(found, std::greater<>());
  return found;
}

// The newest state that is whole, and what belongs to its start. Where that is not whole either, the
// run begins at the beginning.
void RunState::Load() {
  try {
    StateFile file = ReadStateFile(path_ / kStartFile);
    Start start;
    start.located = LocatedFrom(file.fields.at("located"));
    if (file.fields.contains("mask_sha256")) {
      if (FileSha256(path_ / kMaskFile) != file.fields["mask_sha256"].get<std::string>()) {
        BadInput("run", "{}: the content does not match its checksum",
                 (path_ / kMaskFile).string());
      }
      start.mask = Mask::Load(path_ / kMaskFile);
    }
    start.plan = std::move(file);
    start_ = std::move(start);
  } catch (const std::exception& failure) {
    Warn("{}; the run starts from the beginning", failure.what());
    Clear();
    return;
  }
  saved_start_ = true;
  seconds_before_ = start_->located.seconds;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(path_, ignored)) {  // of saves that were killed
    if (entry.path().filename().string().find(".partial") != std::string::npos) {
      fs::remove_all(entry.path(), ignored);
    }
  }
  for (const fs::path& generation : Generations()) {
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
    Info("{}: the run goes on after step {}", path_.string(), step_->step);
  } else {
    Info("{}: the run goes on before its first step", path_.string());
  }
}

void RunState::Clear() {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(path_, ignored)) {
    // What names the run goes last: without it nothing else is taken.
    if (entry.path().filename() != kRunFile) fs::remove_all(entry.path(), ignored);
  }
  fs::remove(path_ / kRunFile, ignored);
}

std::optional<RunState::Start> RunState::TakeStart() {
  return std::exchange(start_, std::nullopt);
}

void RunState::SaveStart(const Start& start) {
  if (!saves_) return;
  try {
    StateFile file = start.plan;
    file.fields["located"] = LocatedJson(start.located);
    if (start.mask) {
      start.mask->Save(path_ / kMaskFile);
      file.fields["mask_sha256"] = FileSha256(path_ / kMaskFile);
    }
    WriteStateFile(path_ / kStartFile, file);
    saved_start_ = true;
  } catch (const Error& failure) {
    Warn("{}; the run goes on, but cannot be resumed", failure.what());
    saves_ = false;
  }
}

void RunState::Save(const TuneState& state) {
  if (!saves_) return;
  last_save_ = std::chrono::steady_clock::now();
  std::error_code ignored;
  for (bool again = true; again;) {
    again = false;
    try {
      if (FreeSpace(path_) < static_cast<double>(kept_free_ + BytesOfState(state))) {
        BadInput("run", "{}: the disk is too full for a state, beside the room that the output needs",
                 path_.string());
      }
      SaveTuneState(path_ / GenerationName(state.step), state);
      saved_step_ = state.step;
    } catch (const Error& failure) {
      const auto generations = Generations();
      again = generations.size() >= kGenerations;  // the oldest one makes room
      if (again) {
        fs::remove(generations.back(), ignored);
      } else {
        Warn("{}; the run goes on without this state", failure.what());
      }
    }
  }
  const auto generations = Generations();
  for (size_t i = kGenerations; i < generations.size(); ++i) fs::remove(generations[i], ignored);
}

void RunState::BetweenSteps(const TuneState& state) {
  const std::chrono::duration<double> since = std::chrono::steady_clock::now() - last_save_;
  const bool interrupted = Interrupted();
  if (state.finished || interrupted || since.count() >= 60 * options_.save_minutes) Save(state);
  if (!interrupted) return;
  throw Error(ErrorClass::kInterrupted, "run", fmt::format("interrupted after step {}", state.step));
}

TuneHooks RunState::Hooks() {
  TuneHooks hooks;
  if (directory_ >= 0) {
    log_.open(path_ / kLogFile, std::ios::trunc);
    if (step_) {
      for (const Json& record : step_->log) log_ << record.dump() << "\n";
      log_.flush();
    }
    hooks.log = [this](const Json& record) {
      if (log_ && !(log_ << record.dump() << std::endl)) {
        Warn("{}: cannot be written any more; the output will have the whole log",
             (path_ / kLogFile).string());
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
  if (directory_ < 0) return;
  log_.close();
  Clear();
  saved_start_ = false;
  saved_step_.reset();
}

void RunState::Discard(const std::string& out) {
  const fs::path path = StatePathOf(out);
  const int directory = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0) return;
  std::error_code ignored;
  if (flock(directory, LOCK_EX | LOCK_NB) == 0) fs::remove_all(path, ignored);
  close(directory);
}

}  // namespace grin
