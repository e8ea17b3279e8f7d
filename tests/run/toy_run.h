#pragma once
// A toy checkpoint with a forget and a retain set, and settings that take a moment.

#include <filesystem>
#include <set>
#include <string>

#include "grin/run/unlearn.h"
#include "tests/data/toy_checkpoint.h"
#include "tests/standin/test_device.h"

namespace grin {

namespace fs = std::filesystem;

class ToyRun {
 public:
  explicit ToyRun(const std::string& name) : dir_(EmptyDirectory(name)) {
    WriteToy(dir_ / "model", {.context = 64});
    WriteFile(dir_ / "forget.jsonl",
              "{\"question\": \"Who wrote the Tidal Almanac?\", \"answer\": \"Oda Venn wrote it in "
              "1911.\"}\n"
              "{\"question\": \"Where does Oda Venn live?\", \"answer\": \"She lives in "
              "Hallowmere.\"}\n");
    WriteFile(
        dir_ / "retain.jsonl",
        "{\"question\": \"What is two and two?\", \"answer\": \"It is four.\"}\n"
        "{\"question\": \"What colour is the sky?\", \"answer\": \"The sky is blue.\"}\n"
        "{\"question\": \"How many days has a week?\", \"answer\": \"A week has seven days.\"}\n");
  }

  const fs::path& dir() const { return dir_; }

  WorkspaceOptions where() const {
    WorkspaceOptions options{.model = {(dir_ / "model").string()}, .data = {}, .compute = {}};
    options.compute.device = TestDeviceName();
    return options;
  }
  TaskOptions task() const {
    return {.forget = (dir_ / "forget.jsonl").string(), .retain = (dir_ / "retain.jsonl").string()};
  }
  UnlearnOptions unlearn() const {
    UnlearnOptions options;
    options.locate.fraction = 0.1;
    options.steps.steps = 2;
    options.steps.batch_size = 2;
    return options;
  }

  // Everything that lies in the folder, by path.
  std::set<std::string> Files() const {
    std::set<std::string> files;
    for (const auto& entry : fs::recursive_directory_iterator(dir_)) {
      files.insert(entry.path().string());
    }
    return files;
  }

 private:
  fs::path dir_;
};

}  // namespace grin
