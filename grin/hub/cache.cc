#include "grin/hub/cache.h"

#include <algorithm>
#include <cstdlib>

#include "grin/base/atomic_file.h"
#include "grin/base/error.h"
#include "grin/base/printable.h"

namespace grin {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSchemes[] = {"hub://", "hf://"};

bool IsNameCharacter(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_' || c == '.';
}

bool IsRepoName(std::string_view name) {
  return IsSafeHubPath(name) && name.front() != '.' && std::ranges::count(name, '/') <= 1 &&
         std::ranges::all_of(name, [](char c) { return IsNameCharacter(c) || c == '/'; });
}

// "refs%2Fpr%2F1" is how a revision with slashes stands in a URL.
std::string WithSlashes(std::string_view revision) {
  constexpr std::string_view kSlash = "%2F";
  std::string text;
  for (size_t i = 0; i < revision.size(); ++i) {
    const bool slash = revision.substr(i).starts_with(kSlash);
    text += slash ? '/' : revision[i];
    if (slash) i += kSlash.size() - 1;
  }
  return text;
}

HubRepo MakeRepo(std::string_view name, std::string_view revision, HubKind kind,
                 std::string_view text) {
  if (!IsRepoName(name)) {
    BadInput("io", "{}: no such file or directory, and no hub name (ORG/NAME)",
             Printable(text, 300));
  }
  HubRepo repo = {.kind = kind, .name = std::string(name), .revision = {}};
  repo.revision = WithSlashes(revision);
  if (!IsSafeHubPath(repo.revision)) {
    BadInput("io", "{}: '{}' can be no revision", Printable(text, 300), Printable(revision));
  }
  return repo;
}

}  // namespace

std::string HubRepo::Describe() const { return fmt::format("{}@{}", name, revision); }

std::string EnvironmentValue(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

fs::path HubCacheRoot() {
  for (const char* name : {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"}) {
    if (fs::path cache = EnvironmentValue(name); !cache.empty()) return cache;
  }
  if (const fs::path home = EnvironmentValue("HF_HOME"); !home.empty()) return home / "hub";
  if (const fs::path cache = EnvironmentValue("XDG_CACHE_HOME"); !cache.empty()) {
    return cache / "huggingface" / "hub";
  }
  return fs::path(EnvironmentValue("HOME")) / ".cache" / "huggingface" / "hub";
}

bool IsSafeHubPath(std::string_view name) {
  if (name.empty() || name.front() == '/' || name.back() == '/') return false;
  for (const unsigned char c : name) {
    if (c < ' ' || c == '\\' || c == 0x7f) return false;
  }
  for (size_t begin = 0; begin <= name.size();) {
    const size_t end = std::min(name.find('/', begin), name.size());
    const std::string_view part = name.substr(begin, end - begin);
    if (part.empty() || part == "." || part == "..") return false;
    begin = end + 1;
  }
  return true;
}

HubRepo ParseHubRepo(std::string_view text, HubKind kind) {
  const size_t at = text.find('@');
  return MakeRepo(text.substr(0, at), at == text.npos ? "main" : text.substr(at + 1), kind, text);
}

bool IsHubUrl(std::string_view text) {
  return std::ranges::any_of(kSchemes, [&](auto scheme) { return text.starts_with(scheme); });
}

HubUrl ParseHubUrl(std::string_view url) {
  std::string_view rest = url.substr(url.find("://") + 3);
  HubKind kind = HubKind::kModel;
  constexpr std::string_view kDatasets = "datasets/";
  if (rest.starts_with(kDatasets)) {
    kind = HubKind::kDataset;
    rest.remove_prefix(kDatasets.size());
  }
  // The name is two parts, unless a revision ends it after one.
  const size_t first = std::min(rest.find_first_of("/@"), rest.size());
  size_t end = first;
  if (first < rest.size() && rest[first] == '/') {
    end = std::min(rest.find_first_of("/@", first + 1), rest.size());
  }
  const std::string_view name = rest.substr(0, end);
  std::string_view revision = "main";
  if (end < rest.size() && rest[end] == '@') {
    const size_t slash = std::min(rest.find('/', end), rest.size());
    revision = rest.substr(end + 1, slash - end - 1);
    end = slash;
  }
  HubUrl hub = {.repo = MakeRepo(name, revision, kind, url), .path = {}};
  if (end < rest.size()) hub.path = rest.substr(end + 1);
  if (!hub.path.empty() && !IsSafeHubPath(hub.path)) {
    BadInput("io", "{}: '{}' can be no file of a repository", Printable(url, 300),
             Printable(hub.path));
  }
  return hub;
}

fs::path HubFolder(const HubRepo& repo) {
  std::string folder = repo.kind == HubKind::kModel ? "models--" : "datasets--";
  for (const char c : repo.name) folder += c == '/' ? std::string("--") : std::string(1, c);
  return HubCacheRoot() / folder;
}

std::string HubCommit(const HubRepo& repo) {
  const fs::path ref = HubFolder(repo) / "refs" / repo.revision;
  std::error_code ignored;
  if (!fs::is_regular_file(ref, ignored)) return repo.revision;
  std::string commit = ReadFile(ref);
  commit.erase(commit.find_last_not_of(" \r\n") + 1);
  if (!IsSafeHubPath(commit) || commit.find('/') != std::string::npos) {
    BadInput("io", "{}: holds '{}', expected a commit", ref.string(), Printable(commit));
  }
  return commit;
}

fs::path FindInHubCache(const HubRepo& repo) {
  const bool model = repo.kind == HubKind::kModel;
  const std::string fetch = fmt::format("`grin fetch {}{}` downloads it", model ? "" : "--dataset ",
                                        repo.revision == "main" ? repo.name : repo.Describe());
  const fs::path folder = HubFolder(repo);
  std::error_code ignored;
  if (!fs::is_directory(folder, ignored)) {
    BadInput("io", "{}: no such file or directory, and no {} of that name in the hub cache {}; {}",
             repo.name, model ? "model" : "data set", HubCacheRoot().string(), fetch);
  }
  const fs::path snapshot = folder / "snapshots" / HubCommit(repo);
  if (!fs::is_directory(snapshot, ignored)) {
    BadInput("io", "{}: the hub cache {} has no revision '{}' of it; {}", repo.name,
             folder.string(), Printable(repo.revision), fetch);
  }
  return snapshot;
}

}  // namespace grin
