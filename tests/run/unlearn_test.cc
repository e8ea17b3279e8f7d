// The method as others call it.

#include "grin/run/unlearn.h"

#include <ATen/Parallel.h>
#include <gmock/gmock.h>

#include <csignal>

#include "grin/run/compare.h"
#include "grin/run/provenance.h"
#include "grin/run/stages.h"
#include "tests/run/toy_run.h"

namespace grin {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

TEST(Unlearn, WritesACheckpointThatDiffersInsideItsMaskOnly) {
  const ToyRun toy("unlearn_writes");
  Workspace workspace = OpenWorkspace(toy.where());
  const LoadedTask task = LoadTask(workspace, toy.task());
  UnlearnOptions options = toy.unlearn();
  options.output.out = toy.dir() / "out";
  const UnlearnResult result = Unlearn(workspace, task, options);
  EXPECT_EQ(result.tuned.steps, 2);
  const auto before = Checkpoint::Open(toy.dir() / "model");
  const auto after = Checkpoint::Open(toy.dir() / "out");
  const Comparison comparison = CompareCheckpoints(*before, *after, &result.mask);
  EXPECT_GT(comparison.changed, 0);
  EXPECT_EQ(comparison.outside_mask, 0);
  const Json document = Json::parse(ReadFile(toy.dir() / "out/grin.json"));
  EXPECT_EQ(document["recipe"]["fraction"], 0.1);
  EXPECT_EQ(document["recipe"]["forget"], (toy.dir() / "forget.jsonl").string());
  EXPECT_FALSE(document["recipe"].contains("out"));
  EXPECT_EQ(document["inputs"]["forget"]["records"], 2);
}

TEST(Unlearn, WithoutAnOutputLeavesTheResultInMemory) {
  const ToyRun toy("unlearn_memory");
  Workspace workspace = OpenWorkspace(toy.where());
  const LoadedTask task = LoadTask(workspace, toy.task());
  const auto files = toy.Files();
  UnlearnOptions options = toy.unlearn();
  const UnlearnResult result = Unlearn(workspace, task, options);
  EXPECT_EQ(toy.Files(), files);

  options.output.out = toy.dir() / "out";
  Workspace other = OpenWorkspace(toy.where());
  Unlearn(other, LoadTask(other, toy.task()), options);
  const Model written = LoadModel(Checkpoint::Open(toy.dir() / "out"));
  for (const auto& [name, tensor] : written.weights->tensors()) {
    EXPECT_TRUE(tensor.equal(workspace.model.weights->tensors().at(name).cpu())) << name;
  }
}

TEST(Unlearn, TakesAMaskThatWasMadeBefore) {
  const ToyRun toy("unlearn_mask");
  const auto run = [&](const Mask* mask) {
    Workspace workspace = OpenWorkspace(toy.where());
    UnlearnOptions options = toy.unlearn();
    options.mask = mask;
    const UnlearnResult result = Unlearn(workspace, LoadTask(workspace, toy.task()), options);
    return std::pair(result.mask, workspace.model.weights->tensors());
  };
  const auto [mask, weights] = run(nullptr);
  const auto [same_mask, same_weights] = run(&mask);
  EXPECT_EQ(same_mask.count(), mask.count());
  for (const auto& [name, tensor] : weights) EXPECT_TRUE(tensor.equal(same_weights.at(name)));
}

// Every method writes what tune writes: a checkpoint, its mask, a log, a report, and where it comes from.
TEST(Unlearn, ByEveryMethodWritesTheSameThings) {
  const ToyRun toy("unlearn_methods");
  WriteToy(toy.dir() / "before", {.context = 64, .seed = 2});
  for (const Method& method : Methods()) {
    SCOPED_TRACE(method.name);
    Workspace workspace = OpenWorkspace(toy.where());
    const LoadedTask task = LoadTask(workspace, toy.task());
    UnlearnOptions options = toy.unlearn();
    options.method.method = method.name;
    if (method.selection) options.locate.fraction = LocateOptions{}.fraction;
    if (method.uses_checkpoints) options.method.before = toy.dir() / "before";
    options.locate.threshold = method.name == "ssd" ? 0.5 : 0;
    const fs::path out = toy.dir() / method.name;
    options.output.out = out;
    const UnlearnResult result = Unlearn(workspace, task, options);
    const Comparison comparison = CompareCheckpoints(*Checkpoint::Open(toy.dir() / "model"),
                                                     *Checkpoint::Open(out), &result.mask);
    EXPECT_GT(comparison.changed, 0);
    EXPECT_EQ(comparison.outside_mask, 0);
    for (const char* file : {"mask.safetensors", "log.jsonl", "report.html"}) {
      EXPECT_TRUE(fs::exists(out / file)) << file;
    }
    const Json document = Json::parse(ReadFile(out / "grin.json"));
    EXPECT_EQ(document["recipe"]["method"], method.name);
    EXPECT_EQ(document["inputs"].contains("before"), method.uses_checkpoints);
    EXPECT_EQ(document["tune"]["steps"], result.tuned.steps);
    EXPECT_FALSE(fs::exists(out.string() + ".state"));
  }
}

TEST(Unlearn, TakesAMaskFile) {
  const ToyRun toy("unlearn_mask_file");
  Workspace workspace = OpenWorkspace(toy.where());
  const LoadedTask task = LoadTask(workspace, toy.task());
  UnlearnOptions options = toy.unlearn();
  options.output.out = toy.dir() / "first";
  const UnlearnResult first = Unlearn(workspace, task, options);
  Workspace again = OpenWorkspace(toy.where());
  options.locate = {};
  options.mask_file.mask = toy.dir() / "first/mask.safetensors";
  options.output.out = toy.dir() / "second";
  const UnlearnResult second = Unlearn(again, LoadTask(again, toy.task()), options);
  EXPECT_EQ(second.mask.count(), first.mask.count());
  EXPECT_EQ(second.document["inputs"]["mask"]["records"], first.mask.count());
  EXPECT_EQ(CompareCheckpoints(*Checkpoint::Open(toy.dir() / "first"),
                               *Checkpoint::Open(toy.dir() / "second"), nullptr)
                .changed,
            0);
}

// A library call is a guest in its process.
TEST(Unlearn, NeitherPrintsNorSetsHandlersOrThreads) {
  const ToyRun toy("unlearn_guest");
  struct sigaction before {}, after {};
  sigaction(SIGINT, nullptr, &before);
  const int threads = at::get_num_threads();
  at::set_num_threads(2);
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  {
    Workspace workspace = OpenWorkspace(toy.where());
    UnlearnOptions options = toy.unlearn();
    options.output.out = toy.dir() / "out";
    Unlearn(workspace, LoadTask(workspace, toy.task()), options);
    LocateRunOptions locate{.locate = options.locate, .probe = true, .output = {}};
    RunLocate(workspace, LoadTask(workspace, toy.task()), locate);
  }
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  EXPECT_EQ(at::get_num_threads(), 2);
  at::set_num_threads(threads);
  sigaction(SIGINT, nullptr, &after);
  EXPECT_EQ(after.sa_handler, before.sa_handler);
}

TEST(Unlearn, TellsItsListenerWhatItDoes) {
  const ToyRun toy("unlearn_tells");
  std::vector<std::string> messages, labels;
  const ListenerScope scope(
      {.log = [&](LogLevel, std::string_view text) { messages.emplace_back(text); },
       .progress = [&](const ProgressReport& report) { labels.emplace_back(report.label); }});
  Workspace workspace = OpenWorkspace(toy.where());
  Unlearn(workspace, LoadTask(workspace, toy.task()), toy.unlearn());
  EXPECT_THAT(messages, Contains(HasSubstr("data: 2 records to forget, 3 to retain")));
  EXPECT_THAT(messages, Contains(HasSubstr("locate: grin selected")));
  EXPECT_THAT(labels, Contains("tune"));
}

TEST(Unlearn, EndsWhenItIsCancelledAndLeavesNothing) {
  const ToyRun toy("unlearn_cancelled");
  Workspace workspace = OpenWorkspace(toy.where());
  const LoadedTask task = LoadTask(workspace, toy.task());
  const auto files = toy.Files();
  UnlearnOptions options = toy.unlearn();
  options.output.out = toy.dir() / "new/out";
  int asked = 0;
  const ListenerScope scope({.cancelled = [&] { return ++asked > 3; }});
  try {
    Unlearn(workspace, task, options);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.error_class(), ErrorClass::kInterrupted);
  }
  EXPECT_EQ(toy.Files(), files);
}

// What can be seen to be wrong is refused before the first gradient, with nothing left behind.
TEST(Unlearn, RefusesBeforeTheWork) {
  const ToyRun toy("unlearn_refuses");
  Workspace workspace = OpenWorkspace(toy.where());
  const LoadedTask task = LoadTask(workspace, toy.task());
  WriteFile(toy.dir() / "file", "");
  fs::create_directories(toy.dir() / "letters");
  WriteFile(toy.dir() / "letters/to_no_one.txt", "");
  const auto files = toy.Files();
  const auto refusal = [&](const std::function<void(UnlearnOptions&)>& change) {
    UnlearnOptions options = toy.unlearn();
    options.output.out = toy.dir() / "out";
    change(options);
    std::vector<std::string> labels;
    const ListenerScope scope({.progress = [&](const ProgressReport& report) {
      labels.emplace_back(report.label);
    }});
    std::string message;
    try {
      Unlearn(workspace, task, options);
      ADD_FAILURE();
    } catch (const Error& error) {
      message = error.what();
    }
    EXPECT_THAT(labels, IsEmpty()) << message;
    EXPECT_EQ(toy.Files(), files);
    return message;
  };
  const std::string dir = toy.dir().string();
  EXPECT_THAT(refusal([&](auto& o) { o.output.out = dir + "/file/out"; }), HasSubstr("file/out"));
  EXPECT_THAT(refusal([&](auto& o) { o.output.out = dir + "/file"; }), HasSubstr("exists already"));
  EXPECT_THAT(refusal([&](auto& o) { o.output.out = dir + "/" + std::string(300, 'n'); }),
              HasSubstr("name too long"));
  EXPECT_THAT(refusal([&](auto& o) { o.output = {.out = dir + "/letters", .force = true}; }),
              HasSubstr("holds no checkpoint"));
  EXPECT_THAT(refusal([](auto& o) { o.locate.fraction = 2; }), HasSubstr("--fraction"));
  EXPECT_THAT(refusal([](auto& o) { o.locate.epsilon = "x"; }), HasSubstr("epsilon 'x'"));
  EXPECT_THAT(refusal([](auto& o) { o.locate.scope = {"none*"}; }), HasSubstr("none*"));
  EXPECT_THAT(refusal([](auto& o) { o.perturb.noise = -1; }), HasSubstr("--noise"));
  EXPECT_THAT(refusal([](auto& o) { o.objective.objective = "npoo"; }), HasSubstr("npoo"));
  EXPECT_THAT(refusal([](auto& o) { o.objective.keep = "some"; }), HasSubstr("--keep"));
  EXPECT_THAT(refusal([](auto& o) { o.objective.forget_tokens = "x"; }),
              HasSubstr("--forget-tokens"));
  EXPECT_THAT(refusal([](auto& o) { o.objective.objective = "po"; }), HasSubstr("--refusals"));
  EXPECT_THAT(refusal([](auto& o) { o.objective.gamma = -1; }), HasSubstr("--gamma"));
  EXPECT_THAT(refusal([](auto& o) { o.steps.lr = 0; }), HasSubstr("--lr"));
  EXPECT_THAT(refusal([](auto& o) { o.forget_gradient.surgery = "pcgrat"; }), HasSubstr("pcgrad"));
  EXPECT_THAT(refusal([](auto& o) { o.forget_gradient.rehearse = -1; }), HasSubstr("--rehearse"));
  EXPECT_THAT(refusal([](auto& o) { o.method.method = "undoo"; }), HasSubstr("undo"));
  EXPECT_THAT(refusal([](auto& o) { o.method.method = "task-vector"; o.locate = {}; }),
              HasSubstr("needs --before"));
  EXPECT_THAT(refusal([](auto& o) { o.method.method = "undo"; o.objective.objective = "ga"; }),
              HasSubstr("--objective says nothing to --method undo"));
  EXPECT_THAT(refusal([](auto& o) { o.method.method = "undo"; o.forget_gradient.rehearse = 1; }),
              HasSubstr("--rehearse says nothing to --method undo"));
}

TEST(Unlearn, RefusesADeviceThatItCannotUse) {
  const ToyRun toy("unlearn_device");
  Workspace workspace = OpenWorkspace(toy.where());
  const LoadedTask task = LoadTask(workspace, toy.task());
  workspace.options.compute.device = "cuda:900";
  EXPECT_THAT([&] { Unlearn(workspace, task, toy.unlearn()); },
              testing::ThrowsMessage<Error>(HasSubstr("--device cuda:900")));
}

TEST(Unlearn, AnyBytesMayStandInAPath) {
  const ToyRun toy("unlearn_bytes");
  const fs::path forget = toy.dir() / "forget\xff\xfe.jsonl";
  fs::copy_file(toy.dir() / "forget.jsonl", forget);
  Workspace workspace = OpenWorkspace(toy.where());
  TaskOptions files = toy.task();
  files.forget = forget.string();
  UnlearnOptions options = toy.unlearn();
  options.output.out = (toy.dir() / "out\xff").string();
  Unlearn(workspace, LoadTask(workspace, files), options);
  const Json document = Json::parse(ReadFile(toy.dir() / "out\xff/grin.json"));
  EXPECT_THAT(document["recipe"]["forget"].get<std::string>(), HasSubstr("forget\uFFFD\uFFFD"));
  EXPECT_TRUE(fs::exists(toy.dir() / "out\xff/report.html"));
}

}  // namespace
}  // namespace grin
