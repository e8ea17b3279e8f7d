#pragma once
// The cache where Hugging Face's Python libraries keep what they download:
//
//   ROOT/models--ORG--NAME/refs/main                 the commit that "main" stood for
//   ROOT/models--ORG--NAME/snapshots/COMMIT/FILE     a link into blobs
//   ROOT/models--ORG--NAME/blobs/ETAG                the content

#include <filesystem>
#include <string>
#include <string_view>

namespace grin {

enum class HubKind { kModel, kDataset };

struct HubRepo {
  HubKind kind = HubKind::kModel;
  std::string name;               // "org/name", or "name" alone
  std::string revision = "main";  // a branch, a tag, a commit, "refs/pr/1"

  std::string Describe() const;  // "org/name@revision"
};

// A value of the environment; empty where it is not set.
std::string EnvironmentValue(const char* name);

// HF_HUB_CACHE, else HF_HOME/hub, else ~/.cache/huggingface/hub, as the Python libraries decide.
std::filesystem::path HubCacheRoot();

// "org/name", "name", each with "@revision" if wanted. Error (bad input) for what can be no name.
HubRepo ParseHubRepo(std::string_view text, HubKind kind = HubKind::kModel);

// "hub://datasets/org/name[@revision][/path]" or "hub://org/name..."; `hf://` means the same.
struct HubUrl {
  HubRepo repo;
  std::string path;  // of a file in it, or a pattern; may be empty
};
bool IsHubUrl(std::string_view text);
HubUrl ParseHubUrl(std::string_view url);

// ROOT/models--org--name.
std::filesystem::path HubFolder(const HubRepo& repo);

// The commit that the revision stands for: by refs, else the revision itself.
std::string HubCommit(const HubRepo& repo);

// The snapshot directory of a repository. Error (bad input) saying what of it is not in the cache,
// and how it gets there.
std::filesystem::path FindInHubCache(const HubRepo& repo);

// Whether `name` can be a file name of a repository, a commit or a blob: nothing that would lead
// out of its folder.
bool IsSafeHubPath(std::string_view name);

}  // namespace grin
