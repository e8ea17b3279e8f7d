#pragma once
// What a sweep has done, as files of its folder. Each appears whole or not at all, so that a
// process may be killed at any instant; who works on what is told by locks (claim.h), so that
// several processes may work on one folder.
//
//   runs/HASH.json       the result of a run
//   failed/HASH.json     why one failed
//   models/NAME          a checkpoint that was made, NAME.json says by which settings
//   shared/              what runs have in common: figures of fixed models, gradients
//   checkpoints/HASH     unlearned checkpoints that stay
//   work/HASH            of the run that is being done
//   locks/               of all of these

#include <chrono>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "grin/base/json.h"
#include "grin/sweep/claim.h"

namespace grin {

class Ledger {
 public:
  // Makes the folders. Error (bad input) where that cannot be, or where `folder` holds other
  // things.
  explicit Ledger(std::filesystem::path folder);

  const std::filesystem::path& folder() const { return folder_; }
  std::filesystem::path models() const { return folder_ / "models"; }
  std::filesystem::path shared() const { return folder_ / "shared"; }
  std::filesystem::path checkpoints() const { return folder_ / "checkpoints"; }
  std::filesystem::path LockOf(const std::string& name) const {
    return folder_ / "locks" / (name + ".lock");
  }

  // The result of a run; nothing where it is not done.
  std::optional<Json> ResultOf(const std::string& hash) const;
  void WriteResult(const std::string& hash, const Json& result) const;

  // Why a run failed since this process began; nothing where it did not. A process that begins
  // later tries again.
  std::optional<std::string> FailureOf(const std::string& hash) const;
  void WriteFailure(const std::string& hash, const std::string& why) const;

  // An empty folder for the run, whose claim the caller has; what a killed process left there goes.
  std::filesystem::path EmptyWork(const std::string& hash) const;
  void RemoveWork(const std::string& hash) const;
  // What processes left that were killed between the result of a run and the removal of its work.
  void RemoveStaleWork() const;

  // The value under this name, made once by whichever process comes first; the others wait for it.
  Json Once(const std::string& name, const std::string& what,
            const std::function<Json()>& make) const;

 private:
  std::filesystem::path folder_;
  std::filesystem::file_time_type begun_;
};

}  // namespace grin
