#include "grin/run/output.h"

#include <gmock/gmock.h>

#include <limits>

#include "grin/run/convert.h"
#include "grin/run/evaluate.h"
#include "grin/run/generate.h"
#include "grin/run/loglik.h"
#include "grin/run/provenance.h"
#include "grin/run/stages.h"
#include "tests/run/toy_run.h"

namespace grin {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

TEST(Output, NeedsRoomOnTheDisk) {
  const fs::path dir = EmptyDirectory("output_space");
  CheckSpace(dir / "not/there/yet", 1 << 20);
  EXPECT_THAT([&] { CheckSpace(dir, std::numeric_limits<int64_t>::max()); },
              ThrowsMessage<Error>(HasSubstr("the disk has")));
}

TEST(Output, TheSizeOfACheckpointIsKnownBefore) {
  const ToyRun toy("output_size");
  const auto source = Checkpoint::Open(toy.dir() / "model");
  int64_t size = 0;
  for (const auto& entry : fs::directory_iterator(toy.dir() / "model")) {
    size += static_cast<int64_t>(entry.file_size());
  }
  EXPECT_GE(CheckpointBytes(*source), size);
  EXPECT_LT(CheckpointBytes(*source), size + 8192);
  int64_t weights = 0;
  for (const TensorInfo& info : source->tensors()) weights += info.elements();
  EXPECT_EQ(CheckpointBytes(*source) - CheckpointBytes(*source, DType::kBF16), 2 * weights);
}

// --force deletes a checkpoint, a result or an empty folder, and nothing else.
TEST(Output, ForceReplacesResultsOnly) {
  const fs::path dir = EmptyDirectory("output_force");
  const auto check = [&](const std::string& name) {
    CheckOutput({.out = (dir / name).string(), .force = true}, OutputKind::kDirectory);
  };
  for (const char* name : {"empty", "letters", "model", "result"}) fs::create_directory(dir / name);
  WriteFile(dir / "letters/a.txt", "");
  WriteFile(dir / "model/config.json", "{}");
  WriteFile(dir / "result/grin.json", "{}");
  check("empty");
  check("model");
  check("result");
  check("new");
  EXPECT_THAT([&] { check("letters"); }, ThrowsMessage<Error>(HasSubstr("holds no checkpoint")));
}

// Every run that writes something at its end tries the place first: with a place that cannot be,
// nothing was scored, trained or generated when it is refused.
TEST(Output, IsTriedFirstByEveryRun) {
  const ToyRun toy("output_first");
  Workspace workspace = OpenWorkspace(toy.where());
  const LoadedTask task = LoadTask(workspace, toy.task());
  const UnlearnOptions unlearn = toy.unlearn();
  const std::string forget = toy.task().forget, mask = toy.dir() / "mask.safetensors";
  RunLocate(workspace, task, {.locate = unlearn.locate, .output = {.out = mask}});
  WriteFile(toy.dir() / "file", "");
  const auto files = toy.Files();
  const std::string long_name = toy.dir() / std::string(300, 'n');
  for (const std::string& place : {(toy.dir() / "file/out").string(), long_name, mask}) {
    const OutputOptions out{.out = place};
    const std::map<std::string, std::function<void()>> runs = {
        {"locate",
         [&] { RunLocate(workspace, task, {.locate = unlearn.locate, .output = out}); }},
        {"perturb", [&] { RunPerturb(workspace, {.mask = mask, .output = out}); }},
        {"tune",
         [&] {
           RunTune(workspace, task, {.mask = mask, .steps = unlearn.steps, .output = out});
         }},
        {"finetune",
         [&] {
           RunFinetune(workspace, {.data = forget, .steps = unlearn.steps, .output = out});
         }},
        {"loglik", [&] { RunLoglik(workspace, {.data = forget, .output = out}); }},
        {"generate", [&] { RunGenerate(workspace, {.data = forget, .output = out}); }},
        {"convert", [&] { RunConvert({.source = toy.where().model.model, .output = out}); }},
        {"convert to gguf",
         [&] {
           RunConvert({.source = toy.where().model.model, .to = "gguf", .output = out});
         }},
        {"eval",
         [&] {
           Evaluate(toy.where(),
                    {.suite = {.suite = "keywords", .data = forget}, .output = out});
         }},
    };
    for (const auto& [name, run] : runs) {
      int steps = 0;
      const ListenerScope scope({.progress = [&](const ProgressReport&) { ++steps; }});
      try {
        run();
        ADD_FAILURE() << name << " " << place;
      } catch (const Error& error) {
        EXPECT_EQ(error.error_class(), ErrorClass::kBadInput) << name << ": " << error.what();
      }
      EXPECT_EQ(steps, 0) << name << " worked before it tried " << place;
    }
    EXPECT_EQ(toy.Files(), files);
  }
}

TEST(Output, AFolderThatIsMissingIsMade) {
  const ToyRun toy("output_folder");
  Workspace workspace = OpenWorkspace(toy.where());
  const std::string out = toy.dir() / "new/deep/scores.jsonl";
  RunLoglik(workspace, {.data = toy.task().forget, .output = {.out = out}});
  EXPECT_TRUE(fs::exists(out));
}

}  // namespace
}  // namespace grin
