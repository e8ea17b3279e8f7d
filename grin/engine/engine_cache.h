#pragma once
// Answers of the engines on disk, so that an interrupted evaluation does not compute them again.

#include <cstdio>
#include <filesystem>
#include <optional>
#include <string>
#include <unordered_map>

#include "grin/base/json.h"

namespace grin {

// A file of JSON lines that grows as answers come: a header, then {"k": request, "v": answer}. A
// last line that was cut off by a crash is ignored.
class EngineCache {
 public:
  // Reads what `path` holds, if its header names this `key`; a file of another key is replaced.
  // An empty path keeps nothing. Error (bad input) when the file cannot be written.
  EngineCache(std::filesystem::path path, const std::string& key);
  ~EngineCache();
  EngineCache(const EngineCache&) = delete;
  EngineCache& operator=(const EngineCache&) = delete;

  // The answer to a request; null when there is none.
  const Json* Find(const std::string& request) const;

  void Add(const std::string& request, const Json& answer);

  // All answers as one text, and in the place of this one's those of such a text.
  std::string Written() const;
  void Take(const std::string& written);

  size_t size() const { return answers_.size(); }

 private:
  std::unordered_map<std::string, Json> answers_;  // of earlier runs
  std::FILE* file_ = nullptr;
};

}  // namespace grin
