// What a step of training asks of the device that it computes on.

#include <gtest/gtest.h>

#include <set>

#include "grin/locate/top_k.h"
#include "grin/model/device.h"
#include "grin/tune/counting.h"
#include "grin/tune/perturb_stage.h"
#include "grin/tune/tune.h"
#include "grin/tune/tune_plan.h"
#include "tests/locate/influence_golden.h"

namespace grin {
namespace {

Mask AnyTenth(const Model& model) {
  at::manual_seed(1);
  std::vector<ScoreTensor> scores;
  int64_t total = 0;
  for (const std::string& name : model.BlockMatrices()) {
    scores.push_back({name, at::rand(model.weights->tensors().at(name).sizes())});
    total += scores.back().values.numel();
  }
  return SelectTopK(scores, total / 10);
}

struct StepCase {
  ObjectiveOptions objective;
  ForgetGradientOptions forget;
  bool everything = false;
  bool open_unlearning = false;
  int64_t pass_tokens = 40;  // a step of two batches of 4 has several passes
};

// A model, its trainable entries and a tuner.
class SteppedModel {
 public:
  explicit SteppedModel(const StepCase& c) : SteppedModel(c, {}) {}

  // With these terms, or those of the case.
  SteppedModel(const StepCase& c, std::vector<LossTerm> terms)
      : trainable_(c.everything ? Trainable::Everything(model_)
                                : Trainable(model_, AnyTenth(model_))) {
    if (terms.empty()) terms = TermsOf(c);
    StepOptions steps;
    steps.steps = 10;
    steps.batch_size = 4;
    steps.accumulate = 2;
    steps.collapse = 0;
    const LossTerm relearn{.name = "relearn",
                           .objective = &FindRetainObjective("nll"),
                           .sequences = &golden_.forget};
    tuner_.emplace(model_, trainable_, std::move(terms), steps, 1, c.pass_tokens, Judge{},
                   ForgetGradientPlan{c.forget, relearn});
  }

  // How often the host waits in the next step.
  int64_t WaitsOfStep() {
    const int64_t before = CountsOfStandIn().synchronisations();
    tuner_->Step();
    EXPECT_FALSE(tuner_->state().log.back().contains("skipped")) << tuner_->state().log.back();
    return CountsOfStandIn().synchronisations() - before;
  }

  Tuner& tuner() { return *tuner_; }

 private:
  std::vector<LossTerm> TermsOf(const StepCase& c) {
    if (FindForgetObjective(c.objective.objective).pairs()) {
      for (size_t i = 0; i < golden_.forget.size(); ++i) {
        forget_.push_back(golden_.forget[i]);
        forget_.push_back(golden_.retain[i]);
      }
    } else {
      forget_ = golden_.forget;
    }
    retain_ = golden_.retain;
    auto terms = MakeTerms(forget_, retain_, c.objective, 0, c.open_unlearning);
    if (!c.open_unlearning) return terms;
    for (LossTerm& term : terms) {
      auto& own = term.sequences == &forget_ ? forget_ : retain_;
      own = CountRows(own, term.counting.rows, 0, model_.head.weight.value.size(0));
      term.batch = 4;
    }
    return terms;
  }

  const InfluenceGolden golden_{"llama_gqa_tied"};
  std::vector<Sequence> forget_, retain_;
  const Model model_ = LoadTiny("llama_gqa_tied");
  Trainable trainable_;
  std::optional<Tuner> tuner_;
};

// One wait, in which all losses and the gradient's norm are read together: none for each pass, term,
// batch or layer, whatever the objective.
TEST(DeviceStep, WaitsForTheDeviceOnce) {
  if (TestDevice() != kStandIn) GTEST_SKIP() << "only the stand-in device counts";
  const auto expect_one = [](std::string_view objective, std::string_view retain,
                             bool open_unlearning) {
    SCOPED_TRACE(testing::Message() << objective << " " << retain << open_unlearning);
    StepCase c{.everything = open_unlearning, .open_unlearning = open_unlearning};
    c.objective.objective = objective;
    c.objective.retain_loss = retain;
    EXPECT_EQ(SteppedModel(c).WaitsOfStep(), 1);
  };
  // How OpenUnlearning counts concerns kinds of objectives, not each of them.
  std::set<size_t> kinds;
  for (const Objective& objective : ForgetObjectives()) {
    expect_one(objective.name, "auto", false);
    if (kinds.insert(objective.kind.index()).second) expect_one(objective.name, "auto", true);
  }
  for (const Objective& retain : RetainObjectives()) {
    expect_one(retain.on_hidden() ? "rmu" : "npo", retain.name, false);
  }
}

TEST(DeviceStep, WaitsOnceWithSurgeryRehearsalAndLearnedTokens) {
  if (TestDevice() != kStandIn) GTEST_SKIP() << "only the stand-in device counts";
  for (const Surgery& surgery : Surgeries()) {
    for (const int64_t every : {1, 2}) {
      SCOPED_TRACE(surgery.name);
      StepCase c;
      c.forget = {.surgery = std::string(surgery.name), .rehearse = 2, .rehearse_every = every};
      SteppedModel run(c);
      for (int step = 0; step < 2; ++step) EXPECT_EQ(run.WaitsOfStep(), 1);
    }
  }
  for (const char* name : {"npo", "undial"}) {
    SCOPED_TRACE(name);
    StepCase c;
    c.objective.objective = name;
    c.objective.forget_tokens = "learned";
    SteppedModel run(c);
    for (int step = 0; step < TokenScorer::kPeriod; ++step) EXPECT_EQ(run.WaitsOfStep(), 1);
  }
}

// Noise is keyed by seed, tensor and position, and made in one place for every device.
TEST(DeviceStep, NoiseIsTheCpusToTheBit) {
  if (TestDevice().is_cpu()) GTEST_SKIP() << "this is the CPU";
  for (const char* name : {"llama_gqa_tied", "gpt2_scales"}) {
    for (const char* perturbation : {"gaussian", "reset", "shrink"}) {
      const auto perturbed = [&](at::Device device) {
        const Model model = LoadModel(Checkpoint::Open(TinyPath(name)), at::kFloat, device);
        Trainable trainable(model, AnyTenth(model));
        PerturbOptions options;
        options.perturb = perturbation;
        Perturb(model, trainable, options, 7);
        return trainable.Snapshot().cpu();
      };
      EXPECT_TRUE(perturbed(TestDevice()).equal(perturbed(at::kCPU))) << name << perturbation;
    }
  }
}

// Objectives as somebody might write them who has the CPU in mind.

LossAndGradient ReadsMemory(const TokenValues& values, const ObjectiveSettings&) {
  const volatile float* logp = values.logp.const_data_ptr<float>();
  return {at::full({}, logp[0], values.logp.options().dtype(at::kDouble)),
          at::zeros_like(values.logp)};
}

LossAndGradient ReadsANumber(const TokenValues& values, const ObjectiveSettings&) {
  return {at::full({}, values.logp.mean().item<double>(), values.logp.options().dtype(at::kDouble)),
          at::zeros_like(values.logp)};
}

LossAndGradient MixesDevices(const TokenValues& values, const ObjectiveSettings&) {
  const at::Tensor weight = at::ones({values.logp.numel()});
  return {(values.logp * weight).mean().to(at::kDouble), at::zeros_like(values.logp)};
}

class FaultyObjective {
 public:
  explicit FaultyObjective(LossAndGradient (*loss)(const TokenValues&, const ObjectiveSettings&))
      : objective_(FindForgetObjective("graddiff")) {
    objective_.kind = OnLogp{loss};
    run_.emplace(StepCase{},
                 std::vector<LossTerm>{{.name = "forget",
                                        .objective = &objective_,
                                        .sequences = &golden_.forget,
                                        .per_epoch = true}});
  }
  SteppedModel& run() { return *run_; }

 private:
  const InfluenceGolden golden_{"llama_gqa_tied"};
  Objective objective_;
  std::optional<SteppedModel> run_;
};

// The three ways to get a device wrong do not pass this suite: they end the process, are refused, and
// are counted.
TEST(DeviceStepDeathTest, FaultsAreFound) {
  if (TestDevice() != kStandIn) GTEST_SKIP() << "only the stand-in device minds";
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(FaultyObjective(ReadsMemory).run().WaitsOfStep(), "");
  EXPECT_GT(FaultyObjective(ReadsANumber).run().WaitsOfStep(), 2);
  EXPECT_THROW(FaultyObjective(MixesDevices).run().WaitsOfStep(), c10::Error);
}

}  // namespace
}  // namespace grin
