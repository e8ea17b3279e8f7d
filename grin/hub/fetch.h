#pragma once
// Brings a repository of the hub into the local cache, in the layout that Python tools use too.

#include <cstdint>
#include <filesystem>
#include <string>

#include "grin/hub/cache.h"

namespace grin {

struct HubFetchOptions {
  // Patterns separated by commas ("*.json,data/*"); a star also stands for slashes. Empty
  // `include`: all files, but of a model with safetensors no weights in other formats.
  std::string include, exclude;
  int parallel = 4;  // downloads at once
};

struct HubFetchReport {
  std::filesystem::path snapshot;
  std::string commit;
  int64_t files = 0;     // of the snapshot, by the patterns
  int64_t fetched = 0;   // of those, downloaded now
  int64_t bytes = 0;     // their sizes
  int64_t left_out = 0;  // other files of the repository
};

// Downloads what the cache lacks, several files at once, each checked by size and by SHA-256 or git
// SHA-1 where the hub gives it, and going on where an earlier, interrupted fetch ended. Fetches of
// several processes do not disturb each other. The revision's ref is written when all is there.
// Error (bad input) when something cannot be had or does not match; (usage) when offline.
HubFetchReport FetchFromHub(const HubRepo& repo, const HubFetchOptions& options);

}  // namespace grin
