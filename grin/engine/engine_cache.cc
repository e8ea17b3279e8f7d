#include "grin/engine/engine_cache.h"

#include <cerrno>
#include <cstring>
#include <fstream>

#include "grin/base/error.h"

namespace grin {

EngineCache::EngineCache(std::filesystem::path path, const std::string& key) {
  if (path.empty()) return;
  const Json header = {{"format", "grin-eval-partial-1"}, {"key", key}};
  bool resumed = false;
  {
    std::ifstream in(path);
    std::string line;
    if (in && std::getline(in, line) && Json::parse(line, nullptr, false) == header) {
      resumed = true;
      while (std::getline(in, line)) {
        Json entry = Json::parse(line, nullptr, false);
        if (!entry.is_object() || !entry.contains("k") || !entry.contains("v")) continue;
        answers_[entry["k"].get<std::string>()] = std::move(entry["v"]);
      }
    }
  }
  file_ = std::fopen(path.c_str(), resumed ? "ab" : "wb");
  if (!file_) {
    BadInput("eval", "{}: cannot be written: {}", path.string(), std::strerror(errno));
  }
  // After a crash the file may end inside a line: what is added begins on a new one.
  std::fprintf(file_, "%s\n", resumed ? "" : header.dump().c_str());
}

EngineCache::~EngineCache() {
  if (file_) std::fclose(file_);
}

const Json* EngineCache::Find(const std::string& request) const {
  const auto found = answers_.find(request);
  return found == answers_.end() ? nullptr : &found->second;
}

std::string EngineCache::Written() const { return Json(answers_).dump(); }

void EngineCache::Take(const std::string& written) {
  answers_ = Json::parse(written).get<std::unordered_map<std::string, Json>>();
}

void EngineCache::Add(const std::string& request, const Json& answer) {
  if (!file_) return;
  const std::string line = Json{{"k", request}, {"v", answer}}.dump() + "\n";
  if (std::fwrite(line.data(), 1, line.size(), file_) != line.size() || std::fflush(file_) != 0) {
    BadInput("eval", "the file of partial results cannot be written: {}", std::strerror(errno));
  }
}

}  // namespace grin
