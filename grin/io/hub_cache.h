#pragma once
// The cache where Hugging Face's Python libraries keep what they download.

#include <filesystem>
#include <string_view>

namespace grin {

// HF_HUB_CACHE, else HF_HOME/hub, else ~/.cache/huggingface/hub, as the Python libraries decide.
std::filesystem::path HubCacheRoot();

// The snapshot directory of "org/name", "name" or "org/name@revision" (a branch, a tag or a commit;
// "main" by default). Error (bad input) when it is not in the cache, or when `name` can be no name.
std::filesystem::path FindInHubCache(std::string_view name);

}  // namespace grin
