#pragma once
// A hub cache of a test's own, laid out as huggingface_hub lays it out.

#include <cstdlib>
#include <map>
#include <string>

#include "tests/io/scratch.h"

namespace grin {

class HubScratch {
 public:
  explicit HubScratch(const std::string& name) : root_(Scratch(name)) {
    setenv("HF_HUB_CACHE", root_.c_str(), 1);
  }
  ~HubScratch() { unsetenv("HF_HUB_CACHE"); }
  HubScratch(const HubScratch&) = delete;
  HubScratch& operator=(const HubScratch&) = delete;

  const std::filesystem::path& root() const { return root_; }

  // A snapshot with these files, and a ref of that name to it.
  void Add(const std::string& folder, const std::string& commit, const std::string& ref,
           const std::map<std::string, std::string>& files) const {
    for (const auto& [name, text] : files) {
      const auto path = root_ / folder / "snapshots" / commit / name;
      std::filesystem::create_directories(path.parent_path());
      Put(path, text);
    }
    const auto path = root_ / folder / "refs" / ref;
    std::filesystem::create_directories(path.parent_path());
    Put(path, commit);
  }

 private:
  std::filesystem::path root_;
};

}  // namespace grin
