#include "grin/run/state_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "grin/base/atomic_file.h"
#include "grin/base/error.h"
#include "grin/base/hash.h"
#include "grin/base/log.h"

namespace grin {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kRunFormat = "grin-run-1";
constexpr const char* kRunFile = "run.json";

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

StateDirectory::StateDirectory(const std::string& out, bool force, const StateOptions& options,
                               const Json& identity, const Holds& holds)
    : options_(options), path_(StatePathOf(out)), identity_(identity) {
  CheckStateOptions(options_);
  try {
    Lock(out);
    if (!taken()) return;
    const std::string held = holds(path_);
    if (!held.empty() && !options_.resume && !force) {
      BadInput("run",
               "{}: holds the state of a run that was interrupted ({}); go on with it by --resume, or "
               "throw it away and start anew with --force",
               path_.string(), held);
    }
    if (held.empty()) {
      if (options_.resume) {
        Info("{}: no state is saved; the run starts from the beginning", path_.string());
      }
      Clear();
    } else if (!options_.resume) {
      Warn("{}: the state of an interrupted run is thrown away, as --force says", path_.string());
      Clear();
    } else {
      CheckIdentity();
      resumed_ = true;
    }
    saves_ = options_.save_minutes > 0;
    if (saves_) WriteIdentity();
  } catch (...) {
    if (directory_ >= 0) close(directory_);
    throw;
  }
}

StateDirectory::~StateDirectory() {
  if (directory_ < 0) return;
  rmdir(path_.c_str());  // only where it is empty
  close(directory_);
}

// The lock is on the directory itself: it needs no room on the disk, and ends with the process.
void StateDirectory::Lock(const std::string& out) {
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
               "--out", path_.string(), out);
    }
    struct stat mine {}, there {};
    const bool same = fstat(directory_, &mine) == 0 && stat(path_.c_str(), &there) == 0 &&
                      mine.st_ino == there.st_ino;
    if (!same && trial < 100) {  // another process had just done with it
      close(directory_);
      directory_ = -1;
    }
  }
}

void StateDirectory::WriteIdentity() {
  try {
    Json run = identity_;
    run["format"] = kRunFormat;
    if (ReadRunFile(path_ / kRunFile) != run) {
      WriteFile(path_ / kRunFile,
                run.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
    }
  } catch (const Error& failure) {
    StopSaving(failure.what());
  }
}

void StateDirectory::StopSaving(const std::string& why) {
  if (!saves_) return;
  saves_ = false;
  Warn("{}; the run goes on, but cannot be resumed", why);
}

void StateDirectory::CheckIdentity() const {
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
  const std::string differences = IdentityDifferences(run, identity_, &usage);
  if (!differences.empty()) {
    throw Error(usage ? ErrorClass::kUsage : ErrorClass::kBadInput, "run",
                fmt::format("{}: is the state of another run: {}; give what it was, or leave out "
                            "--resume and start anew with --force",
                            path_.string(), differences));
  }
  if (run.value("version", "") != identity_.value("version", "")) {
    Warn("{}: was saved by grin {}, this is {}; the result may differ from that of a run that was "
         "not interrupted", path_.string(), run.value("version", "?"),
         identity_.value("version", "?"));
  }
  if (run.value("processor", "") != identity_.value("processor", "")) {
    Warn("{}: was saved on another processor ({}, this is {}); last bits of the result may differ "
         "from those of a run that was not interrupted", path_.string(),
         run.value("processor", "?"), identity_.value("processor", "?"));
  }
}

void StateDirectory::StartAnew() {
  Clear();
  if (saves_) WriteIdentity();
}

void StateDirectory::Clear() {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(path_, ignored)) {
    // What names the run goes last: without it nothing else is taken.
    if (entry.path().filename() != kRunFile) fs::remove_all(entry.path(), ignored);
  }
  fs::remove(path_ / kRunFile, ignored);
}

void StateDirectory::Discard(const std::string& out) {
  const fs::path path = StatePathOf(out);
  const int directory = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0) return;
  std::error_code ignored;
  if (flock(directory, LOCK_EX | LOCK_NB) == 0) fs::remove_all(path, ignored);
  close(directory);
}

}  // namespace grin
