#pragma once
// The folder OUT.state/ beside an output: what a long run keeps there, so that it can be gone on with
// after it was interrupted or killed. This is what all such runs share: settings, the lock, and whose
// state it is.

#include <filesystem>
#include <functional>
#include <string>

#include "grin/base/json.h"

namespace grin {

struct StateOptions {
  double save_minutes = 10;
  bool resume = false;

  template <typename Visitor>
  void Visit(Visitor& visit) {
    visit("save-minutes", save_minutes,
          "save the run's state beside the output so often, in minutes (0.5: every 30 seconds); 0: "
          "never, not even when it is interrupted");
    visit("resume", resume,
          "go on where a run with the same settings and data was interrupted or killed; without a "
          "saved state: start from the beginning");
  }
};

// Error (usage) for settings that make no sense.
void CheckStateOptions(const StateOptions& options);

// "OUT.state", shortened where the file system takes no name so long.
std::filesystem::path StatePathOf(const std::string& out);

// Not for several threads at once. A folder that cannot be written is a warning; the run goes on.
class StateDirectory {
 public:
  // What the folder holds that a run can go on from, as a clause for a message ("step 7"); empty where
  // there is nothing.
  using Holds = std::function<std::string(const std::filesystem::path& folder)>;

  // Takes OUT.state/ for this run, which `identity` tells from others: {"command", "version",
  // "recipe": settings by name, "files": path -> fingerprint}. Error (usage, bad input): with --resume
  // it is a state of other settings or files, each of which is named; without --resume and without
  // `force` there is a state; another process is at work there.
  StateDirectory(const std::string& out, bool force, const StateOptions& options,
                 const Json& identity, const Holds& holds);
  // Leaves the folder where it holds anything.
  ~StateDirectory();
  StateDirectory(const StateDirectory&) = delete;
  StateDirectory& operator=(const StateDirectory&) = delete;

  const std::filesystem::path& path() const { return path_; }
  const StateOptions& options() const { return options_; }

  // Whether there is a folder, and it is ours.
  bool taken() const { return directory_ >= 0; }
  // Whether it holds what the run goes on from.
  bool resumed() const { return resumed_; }
  // Whether anything is to be written there.
  bool saves() const { return saves_; }

  // Nothing is written any more, for a reason that is told.
  void StopSaving(const std::string& why);

  // Deletes all that it holds.
  void Clear();
  // The same where the run begins at the beginning: whose state it is stays known.
  void StartAnew();

  // The same where an earlier run made the output whole and was killed before it could say so.
  static void Discard(const std::string& out);

 private:
  void Lock(const std::string& out);
  void CheckIdentity() const;
  void WriteIdentity();

  StateOptions options_;
  std::filesystem::path path_;
  Json identity_;
  int directory_ = -1;  // descriptor, locked; -1: there is none
  bool resumed_ = false, saves_ = false;
};

// The settings and files in which two identities differ, each with its old and new value; empty
// where there is none. `usage`, when not null, tells whether a setting is among them.
std::string IdentityDifferences(const Json& before, const Json& now, bool* usage = nullptr);

}  // namespace grin
