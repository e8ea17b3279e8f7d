// --memory-budget is kept by smaller passes, or the run is refused; it is never passed over.

#include "grin/run/budget.h"

#include <gmock/gmock.h>

#include "grin/model/footprint.h"
#include "grin/run/evaluate.h"
#include "grin/run/generate.h"
#include "grin/run/loglik.h"
#include "grin/run/stages.h"
#include "tests/run/toy_run.h"

namespace grin {
namespace {

using testing::HasSubstr;

TEST(Budget, ReadsAmounts) {
  EXPECT_EQ(ParseBytes("1000000"), 1000000);
  EXPECT_EQ(ParseBytes("2G"), int64_t{2} << 30);
  EXPECT_EQ(ParseBytes("512MiB"), int64_t{512} << 20);
  EXPECT_EQ(ParseBytes("1.5KB"), 1536);
  for (const char* wrong : {"", "G", "lots", "-1G", "0", "1X", "2GG", "1e30", "nan", "inf"}) {
    EXPECT_THROW(ParseBytes(wrong), Error) << wrong;
  }
}

TEST(Budget, CountsWhatIsInScope) {
  const ToyRun toy("budget_scope");
  const Workspace workspace = OpenModel(toy.where());
  const Model& model = workspace.model;
  LocateOptions options;
  int64_t blocks = 0;
  for (const std::string& name : model.BlockMatrices()) {
    blocks += model.weights->tensors().at(name).numel();
  }
  EXPECT_EQ(ScoreBytes(model, options), 8 * blocks);
  options.scope = {"*.down_proj.weight"};
  const int64_t down = 2 * 24 * 40;
  EXPECT_EQ(ScoreBytes(model, options), 8 * down);
  const int64_t embedding = model.embedding.value.numel();
  options.scope = {"*.down_proj.weight,+embeddings"};
  EXPECT_EQ(ScoreBytes(model, options), 8 * (down + embedding));
  options.scope = {"*"};
  int64_t all = 0;
  for (const auto& [name, tensor] : model.weights->tensors()) all += tensor.numel();
  EXPECT_EQ(ScoreBytes(model, options), 8 * all);
  // Every weight trained: master, m, v and gradient, and the memory of the weight itself; on a device
  // that is there already, and a step of AdamW makes a number.
  EXPECT_EQ(TrainedBytes(model, /*keeps_states=*/false), all * (16 + 4));
  EXPECT_EQ(TrainedBytes(model, /*keeps_states=*/true), all * (16 + 8 + 4));
}

TEST(Budget, CountsWhatObjectivesCompareWith) {
  const ToyRun toy("budget_reference");
  const Workspace workspace = OpenWorkspace(toy.where());
  const Task task = LoadTask(workspace, toy.task()).task;
  const auto labels = [](const std::vector<Sequence>& sequences) {
    int64_t count = 0;
    for (const Sequence& sequence : sequences) count += static_cast<int64_t>(sequence.labels.size());
    return count;
  };
  const auto bytes = [&](const ObjectiveOptions& options) {
    return ReferenceBytes(workspace.model, task, options);
  };
  const int64_t forget = labels(task.forget_sequences), retain = labels(task.retain_sequences);
  constexpr int64_t kRow = 24 * 4;  // a hidden row of the toy, in fp32
  EXPECT_EQ(bytes({.objective = "npo"}), 4 * forget);
  EXPECT_EQ(bytes({.objective = "graddiff"}), 0);
  EXPECT_EQ(bytes({.objective = "npo", .retain_loss = "kl"}), 4 * forget + kRow * retain);
}

// Weights and the program's own memory fit, and little else.
std::string BudgetOf(const Model& model, int64_t more) {
  int64_t weights = 0;
  for (const auto& [name, tensor] : model.weights->tensors()) {
    weights += static_cast<int64_t>(tensor.nbytes());
  }
  return std::to_string(weights + ProgramBytes(model) + more);
}

// And for passes, which leave room for logits on another device than the CPU.
std::string PassBudgetOf(const Model& model, int64_t more) {
  return BudgetOf(model, more + (TestDevice().is_cpu() ? 0 : LogitBytes(model)));
}

TEST(Budget, MakesPassesSmallerOrRefuses) {
  const ToyRun toy("budget_passes");
  const Workspace workspace = OpenModel(toy.where());
  const Model& model = workspace.model;
  const int64_t enough = TestDevice().is_cpu() ? 512 : 4096;
  EXPECT_EQ(RecordedPassTokens(model, {}, 0, 40), enough);
  EXPECT_EQ(RecordedPassTokens(model, {}, 0, 5200), 5200);
  EXPECT_EQ(ScoringPassTokens(model, {}, 0, 40), TestDevice().is_cpu() ? 4096 : 16384);
  const auto budget = [&](int64_t more) {
    return ComputeOptions{.memory_budget = PassBudgetOf(model, more)};
  };
  EXPECT_EQ(RecordedPassTokens(model, budget(50 * RecordedBytesPerToken(model)), 0, 40), 50);
  EXPECT_EQ(ScoringPassTokens(model, budget(50 * ForwardBytesPerToken(model)), 0, 40), 50);
  EXPECT_THROW(RecordedPassTokens(model, budget(39 * RecordedBytesPerToken(model)), 0, 40), Error);
  EXPECT_THROW(RecordedPassTokens(model, budget(50 * RecordedBytesPerToken(model)),
                                  11 * RecordedBytesPerToken(model), 40),
               Error);
  EXPECT_THROW(ScoringPassTokens(model, budget(39 * ForwardBytesPerToken(model)), 0, 40), Error);
  CheckBudget(model, {.memory_budget = BudgetOf(model, 100)}, 100);
  EXPECT_THROW(CheckBudget(model, {.memory_budget = BudgetOf(model, 100)}, 101), Error);
}

// Every run that computes, with a budget that holds its weights and nothing more.
TEST(Budget, IsAskedByEveryRun) {
  const ToyRun toy("budget_runs");
  const std::string forget = toy.task().forget;
  WorkspaceOptions where = toy.where();
  where.compute.memory_budget = BudgetOf(OpenModel(where).model, 64);
  Workspace workspace = OpenWorkspace(where);
  const LoadedTask task = LoadTask(workspace, toy.task());
  const UnlearnOptions unlearn = toy.unlearn();
  const std::string mask = toy.dir() / "mask.safetensors";
  {
    Workspace free = OpenWorkspace(toy.where());
    RunLocate(free, LoadTask(free, toy.task()),
              {.locate = unlearn.locate, .output = {.out = mask}});
  }
  const auto files = toy.Files();
  const std::map<std::string, std::function<void()>> runs = {
      {"unlearn", [&] { Unlearn(workspace, task, unlearn); }},
      {"locate", [&] { RunLocate(workspace, task, {.locate = unlearn.locate}); }},
      {"perturb", [&] { RunPerturb(workspace, {.mask = mask}); }},
      {"tune", [&] { RunTune(workspace, task, {.mask = mask, .steps = unlearn.steps}); }},
      {"tune, dry", [&] { RunTuneDry(workspace, task, {}); }},
      {"tune everything", [&] { RunTune(workspace, task, {.steps = unlearn.steps}); }},
      {"finetune", [&] { RunFinetune(workspace, {.data = forget}); }},
      {"loglik", [&] { RunLoglik(workspace, {.data = forget}); }},
      {"generate", [&] { RunGenerate(workspace, {.data = forget}); }},
      {"eval",
       [&] {
         Evaluate(where, {.suite = {.suite = "keywords", .data = forget},
                          .output = {.out = toy.dir() / "r.json"}});
       }},
  };
  for (const auto& [name, run] : runs) {
    try {
      run();
      ADD_FAILURE() << name;
    } catch (const Error& error) {
      EXPECT_EQ(error.error_class(), ErrorClass::kMemory) << name << ": " << error.what();
    }
  }
  fs::remove(toy.dir() / "r.json.partial");
  EXPECT_EQ(toy.Files(), files);
}

TEST(Budget, ChangesNoAnswerAndNoScore) {
  const ToyRun toy("budget_answers");
  const auto answers = [&](const std::string& budget) {
    WorkspaceOptions where = toy.where();
    where.compute.memory_budget = budget;
    Workspace workspace = OpenWorkspace(where);
    const Model& model = workspace.model;
    if (budget == "tight") {
      // Keys and values of two rows, and prompts of some 60 tokens at a time.
      workspace.options.compute.memory_budget =
          PassBudgetOf(model, 120 * ForwardBytesPerToken(model));
    }
    std::string all;
    RunLoglik(workspace, {.data = toy.task().retain},
              [&](std::string_view line) { all += line; });
    for (const Json& answer :
         RunGenerate(workspace, {.data = toy.task().retain, .max_new_tokens = 6})) {
      all += answer.dump();
    }
    return all;
  };
  WorkspaceOptions where = toy.where();
  EXPECT_EQ(answers("tight"), answers(""));
}

}  // namespace
}  // namespace grin
