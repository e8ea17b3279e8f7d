// With --compat open-unlearning objectives have the values and gradients of that tool's own code
// (tests/data/make_open_unlearning_goldens.py), where those deviate, too.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "grin/tune/accumulate.h"
#include "grin/tune/counting.h"
#include "grin/tune/steering.h"
#include "grin/tune/tune.h"
#include "grin/tune/tune_plan.h"
#include "tests/locate/influence_golden.h"
#include "tests/model/every_gradient.h"
#include "tests/tune/objective_golden.h"

namespace grin {
namespace {

class OpenUnlearningTest : public ::testing::Test {
 protected:
  OpenUnlearningTest() {
    const auto batch = static_cast<size_t>(golden_["batch"]);
    const std::vector<Sequence> preferred = SequencesOf(golden_["preferred"]);
    for (size_t i = 0; i < data_.forget.size(); ++i) {
      pairs_.push_back(data_.forget[i]);
      pairs_.push_back(preferred[i % batch]);
    }
    for (auto* set : {&data_.forget, &data_.retain, &pairs_}) {
      for (Sequence& sequence : *set) sequence.unseen_token = golden_["padding"];
    }
  }

  // The term of a case; `own` holds its sequences.
  LossTerm Term(const Json& c, std::vector<Sequence>& own) const {
    const Objective& objective = FindObjective(c["objective"].get<std::string>());
    LossTerm term{.name = c["set"],
                  .objective = &objective,
                  .settings = DefaultSettings(objective),
                  .scale = 0.5,
                  .counting = objective.open_unlearning,
                  .batch = golden_["batch"]};
    term.settings.layer = golden_["layer"];
    term.settings.seed = golden_["seed"];
    term.settings.open_unlearning = true;
    for (auto& [name, value] : term.settings.parameters) {
      if (name == "steering") value = golden_["steering"];
      if (c.contains(name)) value = c[name];
    }
    const auto& set = term.name == "retain" ? data_.retain
                      : objective.pairs()   ? pairs_
                                            : data_.forget;
    own = CountRows(set, term.counting.rows, golden_["padding"], model_.head.weight.value.size(0));
    if (objective.name == "ceu") {
      for (Sequence& sequence : own) sequence.label_weights[0] = 0;  // as ForgetSequences does
    }
    term.sequences = &own;
    ComputeReference(model_, term, 64);
    return term;
  }

  const Json golden_ = GoldenJson("tune/open_unlearning.json");
  const Model model_ = LoadTiny(golden_["model"]);
  InfluenceGolden data_{golden_["model"]};
  std::vector<Sequence> pairs_;
};

TEST_F(OpenUnlearningTest, ValueAndGradientAreTheirs) {
  const Json& cases = golden_["cases"];
  std::vector<std::vector<Sequence>> own(cases.size());
  std::vector<LossTerm> terms;
  for (size_t i = 0; i < cases.size(); ++i) terms.push_back(Term(cases[i], own[i]));
  ScaleWeights(model_, golden_["scaled"]);
  std::vector<int64_t> batch(golden_["batch"].get<int64_t>());
  std::iota(batch.begin(), batch.end(), int64_t{0});
  for (size_t i = 0; i < cases.size(); ++i) {
    LossTerm& term = terms[i];
    term.reference.head = UntouchedHead(model_);
    SCOPED_TRACE(term.objective->name);
    const double loss = cases[i]["loss"];
    for (const int64_t pass_tokens : {16, 4096}) {
      EveryGradient sink(*model_.weights);
      int64_t tokens = 0;
      const auto got =
          Accumulate(model_, term, batch, pass_tokens, &sink, tokens).item<double>();
      // Theirs is of fp32 logits. simnpo's is e to the -27, whose exponent has the error of a loss.
      EXPECT_NEAR(got, loss, 3e-5 * std::abs(loss));
      for (const auto& [name, rows] : cases[i]["gradients"].items()) {
        const at::Tensor ours = sink.gradients.at(name).narrow(0, 0, 6) / term.scale;
        const at::Tensor theirs = rows[0].is_array() ? MatrixOf(rows) : VectorOf(rows);
        EXPECT_LT(LargestError(ours, theirs), 1e-4 * theirs.abs().max().item<double>()) << name;
      }
    }
  }
}

// Two batches count as two steps of theirs, each half.
TEST_F(OpenUnlearningTest, AccumulatesBatches) {
  const std::vector<int64_t> both = {0, 1, 2, 3, 4, 5, 6};
  for (const Json& c : golden_["cases"]) {
    std::vector<Sequence> own;
    const LossTerm term = Term(c, own);
    const auto loss = [&](std::span<const int64_t> units) {
      int64_t tokens = 0;
      return Accumulate(model_, term, units, 64, nullptr, tokens).item<double>();
    };
    const double first = loss(std::span(both).first(4)), second = loss(std::span(both).subspan(4));
    // Of a model that is still its reference, what is left of the loss is rounding.
    const double rounding = TestDevice().is_cuda() ? 1e-10 : 0;
    EXPECT_NEAR(loss(both), (first + second) / 2, 1e-5 * std::abs(first + second) + rounding)
        << c["objective"];
  }
}

TEST_F(OpenUnlearningTest, SteersIntoTheirQuadrant) {
  const at::Tensor theirs = VectorOf(golden_["direction"]);
  EXPECT_LT(LargestError(SteeringDirection(golden_["seed"], theirs.numel(), true), theirs), 1e-7);
}

// The weight of pdu's retain loss after one step is the one that their trainer has.
TEST_F(OpenUnlearningTest, TheDualVariableIsTheirs) {
  const Json& dual = golden_["dual"];
  ScaleWeights(model_, golden_["scaled"]);
  ObjectiveOptions options;
  options.objective = "pdu";
  options.alpha = dual["start"].get<double>();
  options.parameters["retain-limit"] = dual["limit"].get<double>();
  options.parameters["dual-rate"] = dual["rate"].get<double>();
  options.parameters["dual-warmup"] = 0;
  data_.forget.resize(4);
  data_.retain.resize(4);
  auto terms = MakeTerms(data_.forget, data_.retain, options, 0, true);
  const auto forget = CountRows(data_.forget, terms[0].counting.rows, 0, 0);
  terms[0].sequences = &forget;
  Trainable trainable = Trainable::Everything(model_);
  // Trainable reads the weights of the checkpoint: scaled once more.
  for (MaskedParameter& parameter : trainable.parameters()) {
    const Json factor = golden_["scaled"].value(parameter.name, Json());
    if (factor.is_number()) parameter.master.mul_(factor.get<double>());
  }
  trainable.WriteBack();
  StepOptions steps;
  steps.steps = 3;
  steps.batch_size = 4;
  steps.lr = 1e-6;
  steps.collapse = 0;
  Tuner tuner(model_, trainable, terms, steps, 1, 4096);
  tuner.Step();
  const Json record = tuner.state().log.back();
  EXPECT_EQ(record["retain_weight"].get<double>(), dual["start"].get<double>());
  EXPECT_NEAR(record["retain_loss"].get<double>(), dual["loss"].get<double>(), 1e-4);
  EXPECT_NEAR(tuner.state().terms[1].scale, dual["weight"].get<double>(), 1e-3);
}

}  // namespace
}  // namespace grin
