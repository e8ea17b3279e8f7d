#include "grin/io/hub_cache.h"

#include <algorithm>
#include <cstdlib>
#include <string>

#include "grin/base/atomic_file.h"
#include "grin/base/error.h"
#include "grin/io/printable.h"

namespace grin {
namespace {

namespace fs = std::filesystem;

fs::path Environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

bool IsHubName(std::string_view repo) {
  const auto allowed = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_' || c == '.' ||
           c == '/';
  };
  return !repo.empty() && repo.front() != '/' && repo.front() != '.' && repo.back() != '/' &&
         repo.find("..") == std::string_view::npos && std::ranges::count(repo, '/') <= 1 &&
         std::ranges::all_of(repo, allowed);
}

}  // namespace

fs::path HubCacheRoot() {
  for (const char* name : {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"}) {
    if (fs::path cache = Environment(name); !cache.empty()) return cache;
  }
  if (const fs::path home = Environment("HF_HOME"); !home.empty()) return home / "hub";
  if (const fs::path cache = Environment("XDG_CACHE_HOME"); !cache.empty()) {
    return cache / "huggingface" / "hub";
  }
  return Environment("HOME") / ".cache" / "huggingface" / "hub";
}

fs::path FindInHubCache(std::string_view name) {
  const size_t at = name.find('@');
  const std::string repo(name.substr(0, at));
  const std::string revision(at == std::string_view::npos ? "main" : name.substr(at + 1));
  if (!IsHubName(repo)) {
    BadInput("io", "{}: no such file or directory", Printable(name, 300));
  }
  const fs::path root = HubCacheRoot();
  std::string folder = "models--" + repo;
  if (const size_t slash = folder.find('/'); slash != std::string::npos) {
    folder.replace(slash, 1, "--");
  }
  std::error_code ignored;
  if (!fs::is_directory(root / folder, ignored)) {
    BadInput("io", "{}: no such file or directory, and no model of that name in the hub cache {}",
             Printable(name, 300), root.string());
  }
  std::string commit = revision;
  if (const fs::path ref = root / folder / "refs" / revision;
      IsHubName(revision) && fs::is_regular_file(ref, ignored)) {
    commit = ReadFile(ref);
    commit.erase(commit.find_last_not_of(" \r\n") + 1);
  }
  const fs::path snapshot = root / folder / "snapshots" / commit;
  if (!IsHubName(commit) || !fs::is_directory(snapshot, ignored)) {
    BadInput("io", "{}: the hub cache {} has no revision '{}' of it", Printable(name, 300),
             (root / folder).string(), Printable(revision));
  }
  return snapshot;
}

}  // namespace grin
