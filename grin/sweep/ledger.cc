#include "grin/sweep/ledger.h"

#include <vector>

#include "grin/base/atomic_file.h"
#include "grin/base/error.h"

namespace grin {
namespace {

namespace fs = std::filesystem;

std::optional<Json> ReadWholeJson(const fs::path& path) {
  std::error_code error;
  if (!fs::is_regular_file(path, error)) return std::nullopt;
  Json json = Json::parse(ReadFile(path), nullptr, false);
  if (json.is_discarded()) {
    BadInput("sweep", "{}: is not JSON; delete it, and it is made anew", path.string());
  }
  return json;
}

std::string Lines(const Json& json) {
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace

Ledger::Ledger(fs::path folder) : folder_(std::move(folder)) {
  std::error_code error;
  if (fs::exists(folder_, error) && !fs::is_directory(folder_, error)) {
    BadInput("sweep", "{}: is no folder", folder_.string());
  }
  // Below these names files are replaced and deleted.
  constexpr const char* kFolders[] = {"locks", "runs", "failed", "models", "shared", "work"};
  for (const char* name : kFolders) {
    if (!fs::exists(folder_ / name, error) || fs::is_directory(folder_ / "locks", error)) continue;
    BadInput("sweep", "{}: is there, and is not of a sweep; choose another --out",
             (folder_ / name).string());
  }
  for (const char* name : kFolders) {
    fs::create_directories(folder_ / name, error);
    if (error)
      BadInput("sweep", "{}: cannot be made: {}", (folder_ / name).string(), error.message());
  }
  // By the clock of the file system.
  const fs::path mark = LockOf("begun");
  WriteFile(mark, "");
  begun_ = fs::last_write_time(mark);
}

std::optional<Json> Ledger::ResultOf(const std::string& hash) const {
  return ReadWholeJson(folder_ / "runs" / (hash + ".json"));
}

void Ledger::WriteResult(const std::string& hash, const Json& result) const {
  WriteFile(folder_ / "runs" / (hash + ".json"), Lines(result));
  std::error_code error;
  fs::remove(folder_ / "failed" / (hash + ".json"), error);
}

std::optional<std::string> Ledger::FailureOf(const std::string& hash) const {
  const fs::path path = folder_ / "failed" / (hash + ".json");
  std::error_code error;
  const auto written = fs::last_write_time(path, error);
  if (error || written < begun_) return std::nullopt;
  const auto failure = ReadWholeJson(path);
  return failure ? std::optional(failure->value("error", std::string())) : std::nullopt;
}

void Ledger::WriteFailure(const std::string& hash, const std::string& why) const {
  WriteFile(folder_ / "failed" / (hash + ".json"), Lines({{"error", why}}));
}

fs::path Ledger::EmptyWork(const std::string& hash) const {
  RemoveWork(hash);
  const fs::path work = folder_ / "work" / hash;
  fs::create_directories(work);
  return work;
}

void Ledger::RemoveWork(const std::string& hash) const {
  std::error_code error;
  fs::remove_all(folder_ / "work" / hash, error);
}

void Ledger::RemoveStaleWork() const {
  std::vector<std::string> hashes;
  for (const auto& entry : fs::directory_iterator(folder_ / "work")) {
    hashes.push_back(entry.path().filename().string());
  }
  for (const std::string& hash : hashes) {
    if (const auto claim = Claim::Try(LockOf(hash))) RemoveWork(hash);
  }
}

Json Ledger::Once(const std::string& name, const std::string& what,
                  const std::function<Json()>& make) const {
  const fs::path path = shared() / (name + ".json");
  if (auto value = ReadWholeJson(path)) return *std::move(value);
  const Claim claim = Claim::Wait(LockOf(name), what);
  if (auto value = ReadWholeJson(path)) return *std::move(value);
  const Json value = make();
  WriteFile(path, Lines(value));
  return value;
}

}  // namespace grin
