// The example of docs/adding-a-method.md: it is what the page shows, and it works.

#include "tests/tune/example_objective.cc"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "grin/tune/tune.h"
#include "tests/locate/influence_golden.h"
#include "tests/tune/objective_golden.h"

namespace grin {
namespace {

using ::testing::HasSubstr;

TEST(ExampleObjective, IsWhatThePageShows) {
  const std::string page = ReadFile(GRIN_SOURCE_DIR "/docs/adding-a-method.md");
  const std::string code = ReadFile(GRIN_SOURCE_DIR "/tests/tune/example_objective.cc");
  EXPECT_THAT(page, HasSubstr("```cpp\n" + code + "```\n"));
  // The page names the rows' form and their place.
  const std::string table = ReadFile(GRIN_SOURCE_DIR "/grin/tune/objective.cc");
  EXPECT_THAT(page, HasSubstr("GRIN_OBJECTIVE(kUniform),"));
  EXPECT_THAT(table, HasSubstr("GRIN_OBJECTIVE(kUndial),"));
}

// p = (1/4, 3/4), at temperature 2 from logits 0 and 2 log 3.
TEST(ExampleObjective, ByHand) {
  RowValues rows{.values = at::tensor({0.0f, 2 * std::log(3.0f)}).view({1, 2})};
  const at::Tensor loss = UniformLoss(rows, {.parameters = {{"temperature", 2}}});
  EXPECT_NEAR(loss[0].item<double>(), (std::log(4.0) + std::log(4.0 / 3)) / 2, 1e-6);
  EXPECT_NEAR(rows.values[0][0].item<double>(), (0.25 - 0.5) / 2, 1e-6);
  EXPECT_NEAR(rows.values[0][1].item<double>(), (0.75 - 0.5) / 2, 1e-6);
}

TEST(ExampleObjective, EqualsAutograd) {
  at::manual_seed(4);
  const at::Tensor logits = 3 * at::randn({5, 30});
  const at::Tensor wide = logits.to(at::kDouble).requires_grad_();
  const at::Tensor loss = -at::log_softmax(wide / 1.5, -1).mean(-1);
  loss.sum().backward();
  RowValues rows{.values = logits.clone()};
  const at::Tensor got = UniformLoss(rows, {.parameters = {{"temperature", 1.5}}});
  EXPECT_LT(LargestError(got, loss.detach()), 1e-5);
  EXPECT_LT(LargestError(rows.values, wide.grad()), 1e-6);
}

TEST(ExampleObjective, TrainsAModel) {
  const Model model = LoadTiny("llama_gqa_tied");
  const InfluenceGolden data("llama_gqa_tied");
  const std::vector<LossTerm> terms = {{.name = "forget",
                                        .objective = &kUniform,
                                        .settings = DefaultSettings(kUniform),
                                        .sequences = &data.forget,
                                        .per_epoch = true}};
  Trainable trainable = Trainable::Everything(model);
  StepOptions steps;
  steps.steps = 20;
  steps.batch_size = 9;
  steps.lr = 3e-3;
  const TuneReport report = Tune(model, trainable, terms, steps, 1, 4096, {});
  const double first = report.first["forget_loss"], last = report.last["forget_loss"];
  const double uniform = std::log(static_cast<double>(model.head.weight.value.size(0)));
  EXPECT_LT(last - uniform, 0.5 * (first - uniform));
  EXPECT_GE(last, uniform - 1e-4) << "the entropy of the uniform distribution is the least";
}

}  // namespace
}  // namespace grin
