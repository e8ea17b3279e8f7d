// Objectives on rows of logits and on hidden states: by hand, against PyTorch, and through a model.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "grin/tune/accumulate.h"
#include "grin/tune/steering.h"
#include "grin/tune/tune.h"
#include "grin/tune/tune_plan.h"
#include "tests/locate/influence_golden.h"
#include "tests/model/every_gradient.h"
#include "tests/tune/objective_golden.h"

namespace grin {
namespace {

using ::testing::HasSubstr;

RowLoss RowLossOf(std::string_view name) {
  const Objective& objective = FindObjective(name);
  return objective.on_hidden() ? std::get<OnHidden>(objective.kind).loss
                               : std::get<OnLogits>(objective.kind).loss;
}

// Two tokens of probabilities 1/2, 1/2 in the reference and 1/4, 3/4 in the model.
TEST(Kl, ByHand) {
  RowValues rows{.values = at::tensor({std::log(1.0f), std::log(3.0f)}).view({1, 2}),
                 .reference = at::tensor({7.0f, 7.0f}).view({1, 2})};
  const at::Tensor loss = RowLossOf("kl")(rows, {});
  EXPECT_NEAR(loss[0].item<double>(), 0.5 * std::log(2.0) + 0.5 * std::log(2.0 / 3), 1e-6);
  EXPECT_NEAR(rows.values[0][0].item<double>(), 0.25 - 0.5, 1e-6);
  EXPECT_NEAR(rows.values[0][1].item<double>(), 0.75 - 0.5, 1e-6);
}

TEST(Kl, TokensThatAreImpossibleForBothDoNotCount) {
  const float never = -std::numeric_limits<float>::infinity();
  RowValues rows{.values = at::tensor({0.0f, never, 0.0f}).view({1, 3}),
                 .reference = at::tensor({1.0f, never, 1.0f}).view({1, 3})};
  EXPECT_NEAR(RowLossOf("kl")(rows, {})[0].item<double>(), 0, 1e-6);
  EXPECT_LT(rows.values.abs().max().item<double>(), 1e-6);
}

// (3, 4) to the reference (0, 2): 9 + 4, slope 2 (3, 2).
TEST(Activations, ByHand) {
  RowValues rows{.values = at::tensor({3.0f, 4.0f}).view({1, 2}),
                 .reference = at::tensor({0.0f, 2.0f}).view({1, 2})};
  EXPECT_EQ(RowLossOf("activations")(rows, {})[0].item<double>(), 13);
  EXPECT_TRUE(rows.values.equal(at::tensor({6.0f, 4.0f}).view({1, 2})));
}

// The hidden state 0 stands at the distance of the vector's length, whatever its direction; the
// vector itself at none.
TEST(Rmu, ByHand) {
  const ObjectiveSettings settings{.parameters = {{"steering", 6.5}}, .seed = 3};
  const at::Tensor direction = SteeringDirection(3, 50);
  EXPECT_NEAR(direction.norm().item<double>(), 1, 1e-6);
  RowValues rows{.values = at::stack({at::zeros({50}), direction.mul(6.5)})};
  const at::Tensor loss = RowLossOf("rmu")(rows, settings);
  EXPECT_NEAR(loss[0].item<double>(), 6.5 * 6.5, 1e-4);
  EXPECT_NEAR(loss[1].item<double>(), 0, 1e-10);
  EXPECT_LT(LargestError(rows.values[0], direction.to(at::kDouble).mul(-13)), 1e-5);
  EXPECT_FALSE(direction.equal(SteeringDirection(4, 50)));
}

// The model's logits 0 and log 3, so p = (1/4, 3/4), the teacher's equal: with log 3 off the first
// token the target is (1/4, 3/4), too, and nothing is to be learned.
TEST(Undial, ByHand) {
  RowValues rows{.values = at::tensor({0.0f, std::log(3.0f)}).view({1, 2}),
                 .reference = at::tensor({5.0f, 5.0f}).view({1, 2}),
                 .tokens = at::tensor({0}, at::kLong)};
  const at::Tensor loss = RowLossOf("undial")(rows, {.parameters = {{"beta", std::log(3.0)}}});
  EXPECT_NEAR(loss[0].item<double>(), -0.25 * std::log(0.25) - 0.75 * std::log(0.75), 1e-6);
  EXPECT_LT(rows.values.abs().max().item<double>(), 1e-6);
}

// p = (1/8, 2/8, 5/8), the teacher's (3/7, 1/7, 3/7); without its last token the target is (3/4, 1/4, 0).
TEST(Omit, ByHand) {
  RowValues rows{.values = at::tensor({0.0f, std::log(2.0f), std::log(5.0f)}).view({1, 3}),
                 .reference = at::tensor({std::log(3.0f), 0.0f, std::log(3.0f)}).view({1, 3}),
                 .tokens = at::tensor({2}, at::kLong)};
  const at::Tensor loss = RowLossOf("omit")(rows, {});
  EXPECT_NEAR(loss[0].item<double>(), 0.75 * std::log(0.75 * 8) + 0.25 * std::log(0.25 * 4), 1e-6);
  const at::Tensor slope = at::tensor({1.0 / 8 - 0.75, 0.25 - 0.25, 0.625}, at::kDouble);
  EXPECT_LT(LargestError(rows.values[0], slope), 1e-6);
}

// p = (1/8, 2/8, 5/8); without the last token the target is (1/3, 2/3, 0).
TEST(Ceu, ByHand) {
  RowValues rows{.values = at::tensor({0.0f, std::log(2.0f), std::log(5.0f)}).view({1, 3}),
                 .tokens = at::tensor({2}, at::kLong)};
  const at::Tensor loss = RowLossOf("ceu")(rows, {});
  EXPECT_NEAR(loss[0].item<double>(), std::log(8.0) / 3 + std::log(4.0) * 2 / 3, 1e-6);
  const at::Tensor slope = at::tensor({1.0 / 8 - 1.0 / 3, 0.25 - 2.0 / 3, 0.625}, at::kDouble);
  EXPECT_LT(LargestError(rows.values[0], slope), 1e-6);
}

// The largest is 9 and the mean 4, the margin 5; of equals the first is the largest.
TEST(Pdu, ByHand) {
  RowValues rows{.values = at::tensor({9.0f, -1.0f, 4.0f, 2.0f, 2.0f, 2.0f}).view({2, 3})};
  const at::Tensor loss = RowLossOf("pdu")(rows, {});
  EXPECT_EQ(loss[0].item<double>(), 25);
  EXPECT_EQ(loss[1].item<double>(), 0);
  const at::Tensor slope = at::tensor({10 - 10 / 3.0, -10 / 3.0, -10 / 3.0}, at::kDouble);
  EXPECT_LT(LargestError(rows.values[0], slope), 1e-6);
  EXPECT_EQ(rows.values[1].abs().max().item<double>(), 0);
}

// (1/4, 3/4) and (3/4, 1/4) have the middle (1/2, 1/2).
TEST(Js, ByHand) {
  RowValues rows{.values = at::tensor({0.0f, std::log(3.0f)}).view({1, 2}),
                 .reference = at::tensor({std::log(3.0f), 0.0f}).view({1, 2})};
  const at::Tensor loss = RowLossOf("js")(rows, {});
  EXPECT_NEAR(loss[0].item<double>(), 0.75 * std::log(1.5) + 0.25 * std::log(0.5), 1e-6);
  // p_v (g_v - sum_u p_u g_u) with g = log(p / m) / 2
  const double g0 = std::log(0.5) / 2, g1 = std::log(1.5) / 2, mean = 0.25 * g0 + 0.75 * g1;
  EXPECT_NEAR(rows.values[0][0].item<double>(), 0.25 * (g0 - mean), 1e-6);
  EXPECT_NEAR(rows.values[0][1].item<double>(), 0.75 * (g1 - mean), 1e-6);
}

TEST(RowLosses, EqualPyTorch) {
  const Json golden = GoldenJson("tune/rows.json");
  for (const auto& [name, cases] : golden.items()) {
    for (const Json& c : cases) {
      const ObjectiveSettings settings{
          .parameters = {{"steering", c.value("steering", 0.0)}, {"beta", c.value("beta", 0.0)}},
          .seed = c.value("seed", uint64_t{0})};
      const at::Tensor tokens = at::tensor(c["tokens"].get<std::vector<int64_t>>());
      if (c.contains("direction")) {
        const at::Tensor expected = VectorOf(c["direction"]);
        EXPECT_LT(LargestError(SteeringDirection(settings.seed, expected.numel()), expected), 1e-7);
      }
      const at::Tensor loss = VectorOf(c["loss"]), gradient = MatrixOf(c["gradient"]);
      // Whole, and row by row.
      for (const int64_t chunk : {loss.numel(), int64_t{1}}) {
        for (int64_t begin = 0; begin < loss.numel(); begin += chunk) {
          const auto part = [&](const char* key) {
            return MatrixOf(c[key]).narrow(0, begin, chunk).to(at::kFloat);
          };
          RowValues rows{.values = part("values"),
                         .reference = part("reference"),
                         .tokens = tokens.narrow(0, begin, chunk)};
          const at::Tensor got = RowLossOf(name)(rows, settings);
          const at::Tensor expected = loss.narrow(0, begin, chunk);
          // Logits reach 90, where fp32 rounds by 4e-6: so much is off in a log-probability, and,
          // relatively, in a probability and in the loss that it weighs.
          EXPECT_LT(LargestError(got, expected), 2e-6 + 4e-6 * expected.abs().max().item<double>())
              << name;
          EXPECT_LT(LargestError(rows.values, gradient.narrow(0, begin, chunk)),
                    1e-6 * (1 + gradient.abs().max().item<double>()))
              << name;
        }
      }
    }
  }
}

void Weigh(std::vector<Sequence>& sequences) {
  for (Sequence& sequence : sequences) {
    for (size_t n = 1; n < sequence.label_weights.size(); ++n) {
      sequence.label_weights[n] = static_cast<float>(n % 3) / 2;
    }
  }
}

// A model whose weights have moved away from the checkpoint's, and a term that compares with those.
class KindsTest : public ::testing::Test {
 protected:
  KindsTest() {
    Weigh(data_.forget);
    Weigh(data_.retain);
  }

  LossTerm Term(const std::string& name, const std::string& set) const {
    LossTerm term{.name = set,
                  .objective = &FindObjective(name),
                  .settings = DefaultSettings(FindObjective(name)),
                  .scale = 0.5,
                  .sequences = set == "forget" ? &data_.forget : &data_.retain};
    term.settings.layer = golden_["layer"];
    term.settings.seed = golden_["seed"];
    if (name == "rmu") term.settings.parameters["steering"] = golden_["steering"];
    return term;
  }

  struct Result {
    double loss;
    std::map<std::string, at::Tensor> gradients;
  };
  Result Run(const LossTerm& term, int64_t pass_tokens) const {
    EveryGradient sink(*model_.weights);
    std::vector<int64_t> all(term.sequences->size());
    for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<int64_t>(i);
    int64_t tokens = 0;
    const auto loss =
        Accumulate(model_, term, all, pass_tokens, &sink, tokens).item<double>();
    EXPECT_NEAR(Accumulate(model_, term, all, pass_tokens, nullptr, tokens).item<double>(), loss,
                1e-7 + 1e-6 * loss);
    return {loss, sink.gradients};
  }

  const Json golden_ = GoldenJson("tune/kinds.json");
  const std::string name_ = golden_["model"];
  const Model model_ = LoadTiny(name_);
  InfluenceGolden data_{name_};
};

// kl trains the head too, which is the embedding here: the reference comes from the untouched one.
TEST_F(KindsTest, ValueAndGradientEqualPyTorch) {
  std::map<std::string, LossTerm> terms;
  for (const Json& c : golden_["cases"]) {
    LossTerm term = Term(c["objective"], c["set"]);
    ComputeReference(model_, term, 64);
    terms[c["objective"]] = term;
  }
  ScaleWeights(model_, golden_["scaled"]);
  for (const Json& c : golden_["cases"]) {
    LossTerm& term = terms[c["objective"]];
    term.reference.head = UntouchedHead(model_);
    const double loss = c["loss"];
    for (const int64_t pass_tokens : {16, 60, 4096}) {
      const Result result = Run(term, pass_tokens);
      EXPECT_NEAR(result.loss, loss, 1e-5 * loss) << c["objective"] << " " << pass_tokens;
      for (const auto& [name, rows] : c["gradients"].items()) {
        const at::Tensor got = result.gradients.at(name).narrow(0, 0, 6) / term.scale;
        const at::Tensor expected = rows[0].is_array() ? MatrixOf(rows) : VectorOf(rows);
        EXPECT_LT(LargestError(got, expected), 1e-4 * expected.abs().max().item<double>())
            << c["objective"] << " " << name;
      }
    }
  }
}

TEST_F(KindsTest, NothingIsLostBeforeTheFirstStep) {
  for (const char* name : {"kl", "js", "activations"}) {
    LossTerm term = Term(name, "retain");
    ComputeReference(model_, term, 64);
    const Result result = Run(term, 4096);
    EXPECT_NEAR(result.loss, 0, 1e-6) << name;
    // The reference was computed in other passes, which on a card are other products of other sums.
    const double rounding = TestDevice().is_cuda() ? 1e-4 : 1e-5;
    for (const auto& [weight, gradient] : result.gradients) {
      EXPECT_LT(gradient.abs().max().item<double>(), rounding) << name << " " << weight;
    }
  }
}

TEST_F(KindsTest, LayersAboveTheTapGetNoGradient) {
  const Result result = Run(Term("rmu", "forget"), 4096);
  int64_t above = 0;
  for (const auto& [name, gradient] : result.gradients) {
    const bool reached = name.starts_with("model.layers.0.") ||
                         name.starts_with("model.layers.1.") || name.starts_with("model.embed");
    EXPECT_EQ(gradient.abs().max().item<float>() > 0, reached) << name;
    above += !reached;
  }
  EXPECT_GT(above, 5);
}

TEST_F(KindsTest, StoredReferencesComeBackAsTheyWere) {
  for (const char* name : {"kl", "activations", "nll"}) {
    LossTerm term = Term(name, "retain");
    ComputeReference(model_, term, 64);
    const ReferenceTensors stored = StoreReference(term);
    EXPECT_EQ(stored.empty(), std::string(name) == "nll");
    LossTerm again = Term(name, "retain");
    LoadReference(again, stored);
    EXPECT_EQ(again.reference.offsets, term.reference.offsets);
    if (!stored.empty()) {
      EXPECT_TRUE(again.reference.values.equal(term.reference.values));
    }
  }
  LossTerm kl = Term("kl", "retain"), activations = Term("activations", "retain");
  ComputeReference(model_, kl, 64);
  EXPECT_THAT(MessageOf([&] { LoadReference(activations, StoreReference(kl)); }),
              HasSubstr("no reference values are stored for the retain set"));
  kl.sequences = &data_.forget;
  EXPECT_THAT(MessageOf([&] { LoadReference(kl, StoreReference(kl)); }), HasSubstr("labels"));
}

ObjectiveOptions Rmu() {
  ObjectiveOptions options;
  options.objective = "rmu";
  options.gamma = 1;
  options.layer = 1;
  options.parameters["steering"] = 3;
  return options;
}

StepOptions WholeSets(int64_t steps, double lr) {
  StepOptions options;
  options.steps = steps;
  options.batch_size = 13;  // the larger set
  options.lr = lr;
  options.schedule = "constant";
  options.collapse = 0;
  return options;
}

TEST_F(KindsTest, RmuPullsTheForgetSetAndHoldsTheRetainSet) {
  Trainable trainable = Trainable::Everything(model_);
  const auto before = LoadTiny(name_);
  const auto terms = MakeTerms(data_.forget, data_.retain, Rmu(), 7);
  ASSERT_EQ(terms.size(), 2u);
  EXPECT_EQ(terms[1].objective->name, "activations");
  const TuneReport report = Tune(model_, trainable, terms, WholeSets(30, 1e-2), 7, 60, {});
  EXPECT_LT(report.last["forget_loss"].get<double>(),
            0.7 * report.first["forget_loss"].get<double>());
  EXPECT_NEAR(report.first["retain_loss"].get<double>(), 0, 1e-6);
  EXPECT_GT(report.last["retain_loss"].get<double>(), 0);
  EXPECT_LT(report.last["retain_loss"].get<double>(), report.last["forget_loss"].get<double>());
  for (const char* name : {"model.layers.2.mlp.down_proj.weight", "model.norm.weight"}) {
    EXPECT_TRUE(model_.weights->tensors().at(name).equal(before.weights->tensors().at(name)));
  }
}

// The head is the embedding here and is trained. What is compared with does not move along.
TEST_F(KindsTest, ATrainedHeadIsComparedWithTheUntouchedOne) {
  ObjectiveOptions options;
  options.objective = "graddiff";
  options.retain_loss = "kl";
  options.gamma = 1;
  const auto terms = MakeTerms(data_.forget, data_.retain, options);
  LossTerm kl = terms[1];
  ComputeReference(model_, kl, 64);
  const Model other = LoadTiny(name_);
  Trainable all = Trainable::Everything(other), same = Trainable::Everything(model_);
  const TuneReport two = Tune(other, all, terms, WholeSets(2, 1e-3), 1, 64, {});
  Tune(model_, same, terms, WholeSets(1, 1e-3), 1, 64, {});  // as after the first of the two
  const double logged = two.log[1]["retain_loss"];
  EXPECT_GT(logged, 1e-3);
  kl.reference.head = UntouchedHead(model_);
  EXPECT_NEAR(Run(kl, 4096).loss, logged, 1e-5 * logged);
  kl.reference.head = {};  // the trained one
  EXPECT_GT(std::abs(Run(kl, 4096).loss - logged), 1e-3 * logged);
}

TEST_F(KindsTest, RefusesWhatDoesNotGoTogether) {
  const auto message = [&](const ObjectiveOptions& options) {
    return MessageOf([&] { CheckObjectiveOptions(options); });
  };
  ObjectiveOptions options;
  options.retain_loss = "activations";
  EXPECT_THAT(message(options), HasSubstr("it goes with rmu, others take kl or nll"));
  options = Rmu();
  options.parameters["steering"] = -1;
  EXPECT_THAT(message(options), HasSubstr("--steering is -1; it must not be negative"));
  for (const char* retain : {"nll", "kl", "activations", "auto"}) {
    options = Rmu();
    options.retain_loss = retain;
    EXPECT_EQ(message(options), "no error") << retain;
  }
  EXPECT_THAT(MessageOf([&] { HiddenLayer({.layer = 3}, model_.config); }),
              HasSubstr("--layer is 3; the model has layers 0 to 2"));
  EXPECT_EQ(HiddenLayer({}, model_.config), 0);
}

}  // namespace
}  // namespace grin
