// The forget gradient beside the retain gradient: surgeries, and the rehearsal of relearning.

#include "grin/tune/surgery.h"

#include <ATen/Parallel.h>
#include <gmock/gmock.h>

#include <cmath>
#include <numeric>

#include "grin/locate/top_k.h"
#include "grin/tune/accumulate.h"
#include "grin/tune/tune.h"
#include "grin/tune/tune_plan.h"
#include "tests/locate/influence_golden.h"
#include "tests/model/fingerprint.h"

namespace grin {
namespace {

using ::testing::HasSubstr;

at::Tensor FloatsOf(const Json& list) {
  return at::tensor(list.get<std::vector<double>>(), at::kDouble).to(at::kFloat);
}

// Weights of these sizes, every entry selected, with this retain gradient.
Arena ArenaOfParts(const std::vector<int64_t>& sizes, const at::Tensor& retain, const at::Tensor& v) {
  std::vector<Arena::Part> parts;
  for (const int64_t size : sizes) {
    parts.push_back({"w" + std::to_string(parts.size()), size, size});
  }
  Arena arena(parts);
  arena.gradient.copy_(retain);
  arena.v.copy_(v);
  return arena;
}

at::Tensor Operated(const char* name, const Arena& arena, const at::Tensor& forget,
                    int64_t updates = 0) {
  at::Tensor left = forget.clone();
  FindSurgery(name).function({.arena = arena, .updates = updates}, left);
  return left;
}

// f = (1, 0), r = (-1, 1): <f, r> = -1, <r, r> = 2, so f + r / 2 = (1/2, 1/2).
TEST(Surgery, ByHand) {
  const at::Tensor r = at::tensor({-1.0f, 1.0f}), zero = at::zeros({2});
  const Arena arena = ArenaOfParts({2}, r, zero);
  const at::Tensor f = at::tensor({1.0f, 0.0f});
  EXPECT_TRUE(at::equal(Operated("pcgrad", arena, f), at::tensor({0.5f, 0.5f})));
  EXPECT_TRUE(at::equal(Operated("pcgrad", arena, -f), -f)) << "no conflict";
  EXPECT_TRUE(at::equal(Operated("gu", arena, f), at::tensor({0.5f, 0.5f})));
  EXPECT_TRUE(at::equal(Operated("gu", arena, -f), at::tensor({-0.5f, -0.5f}))) << "always";
  EXPECT_TRUE(at::equal(Operated("agree", arena, at::tensor({-3.0f, -2.0f})),
                        at::tensor({-3.0f, 0.0f})));
  // In the metric of v = (1, 1/9) the coefficient is <f, r>' / <r, r>' = -1 / (1 + 3).
  const Arena curved = ArenaOfParts({2}, r, at::tensor({1.0f, 1.0f / 9}));
  const at::Tensor left = Operated("gu", curved, f, 1000000);
  EXPECT_TRUE(at::allclose(left, at::tensor({0.75f, 0.25f}), 1e-6));
  // Weight by weight: (1) on (-1) leaves nothing, (0) on (1) is nothing.
  EXPECT_TRUE(at::equal(Operated("gu", ArenaOfParts({1, 1}, r, zero), f), zero));
  // Without a retain gradient there is nothing to be in conflict with.
  const Arena none = ArenaOfParts({2}, zero, zero);
  EXPECT_TRUE(at::equal(Operated("pcgrad", none, f), f));
  EXPECT_TRUE(at::equal(Operated("gu", none, f), f));
  EXPECT_NEAR(CosineOf(f, r).item<double>(), -std::sqrt(0.5), 1e-7);
  EXPECT_EQ(CosineOf(f, zero).item<double>(), 0);
}

TEST(Surgery, EqualsPyTorch) {
  const Json golden = GoldenJson("tune/methods.json")["surgery"];
  ASSERT_GE(golden.size(), 9u);
  for (const Json& row : golden) {
    const Arena arena = ArenaOfParts(row["parts"].get<std::vector<int64_t>>(),
                                     FloatsOf(row["retain"]), FloatsOf(row["v"]));
    const at::Tensor expected = FloatsOf(row["result"]), forget = FloatsOf(row["forget"]);
    const std::string name = row["name"];
    const int64_t updates = row["updates"];
    // One rounding of the coefficient, one of the difference.
    const double tolerance = 1e-6 * (forget.abs().max() + expected.abs().max()).item<double>();
    EXPECT_LT((Operated(name.c_str(), arena, forget, updates) - expected).abs().max().item<double>(),
              tolerance)
        << name;
    at::Tensor plain = forget.clone();
    const SurgeryInput input{.arena = arena, .updates = updates};
    if (name == "pcgrad") plain::ProjectConflict(input, plain);
    if (name == "gu") plain::ProjectInMetric(input, plain);
    if (name == "agree") continue;
    EXPECT_LT((plain - expected).abs().max().item<double>(), tolerance) << name;
  }
}

// What is left does no harm to first order: in AdamW's metric it is orthogonal to the retain gradient,
// weight by weight, at any size; and the number of threads does not show.
TEST(Surgery, LeavesNothingAlongTheRetainGradient) {
  at::manual_seed(4);
  const std::vector<int64_t> sizes = {70000, 1, 129, 40000};
  const int64_t n = std::accumulate(sizes.begin(), sizes.end(), int64_t{0});
  const Arena arena = ArenaOfParts(sizes, at::randn({n}), at::rand({n}));
  const at::Tensor forget = at::randn({n}) - 0.5 * arena.gradient;
  const int threads = at::get_num_threads();
  for (const char* name : {"pcgrad", "gu", "agree"}) {
    const at::Tensor left = Operated(name, arena, forget, 10);
    at::set_num_threads(threads == 1 ? 3 : 1);
    EXPECT_TRUE(at::equal(left, Operated(name, arena, forget, 10))) << name;
    at::set_num_threads(threads);
    if (std::string_view(name) == "gu") continue;  // harmless in AdamW's metric, see below
    EXPECT_GE(CosineOf(left, arena.gradient).item<double>(), -1e-6) << name;
  }
  const at::Tensor left = Operated("gu", arena, forget, 10);
  const double correction = 1 - std::pow(0.999, 10);
  int64_t begin = 0;
  for (const int64_t size : sizes) {
    const at::Tensor metric =
        1 / (arena.v.narrow(0, begin, size).to(at::kDouble).div(correction).sqrt() + 1e-8);
    const at::Tensor r = arena.gradient.narrow(0, begin, size).to(at::kDouble);
    const at::Tensor f = left.narrow(0, begin, size).to(at::kDouble);
    const double scale = (metric * r * r).sum().item<double>();
    EXPECT_NEAR((metric * r * f).sum().item<double>() / scale, 0, 1e-6);
    begin += size;
  }
}

TEST(Surgery, NamesTheNearest) {
  EXPECT_THAT(MessageOf([] { FindSurgery("pcgrat"); }), HasSubstr("did you mean pcgrad?"));
}

class RehearsalTest : public ::testing::Test {
 protected:
  const Json golden_ = GoldenJson("tune/methods.json");
  const std::string name_ = golden_["model"];
  const InfluenceGolden data_{name_};

  Mask EveryMatrix(const Model& model) const {
    std::vector<ScoreTensor> scores;
    int64_t total = 0;
    for (const std::string& name : data_.scored) {
      scores.push_back({name, at::ones(model.weights->tensors().at(name).sizes())});
      total += scores.back().values.numel();
    }
    return SelectTopK(scores, total);
  }

  LossTerm Term(const char* name, const Objective& objective, double scale = 1) const {
    return {.name = name, .objective = &objective, .scale = scale, .sequences = &data_.forget,
            .per_epoch = true};
  }
};

// The gradient at weights that have relearned for two steps, and the same weights afterwards.
TEST_F(RehearsalTest, TakesTheGradientWhereRelearningLeads) {
  const Json& golden = golden_["rehearsal"];
  const Model model = LoadTiny(name_);
  Trainable trainable(model, EveryMatrix(model));
  const at::Tensor before = trainable.Snapshot();
  const LossTerm forget = Term("forget", FindForgetObjective("graddiff"), golden["gamma"]);
  const ForgetGradientOptions options{.rehearse = golden["steps"], .rehearse_lr = golden["lr"]};
  Rehearsal rehearsal(model, trainable, Term("relearn", FindRetainObjective("nll")), options, 100, 1,
                      64);
  GatherSink sink(trainable);
  std::vector<int64_t> all(data_.forget.size());
  std::iota(all.begin(), all.end(), int64_t{0});
  at::Tensor gradient;
  double norm = 0;
  for (int64_t step = 0; step < 2; ++step) {
    int64_t tokens = 0;
    const auto loss = rehearsal.Relearn(step, sink, tokens).item<double>();
    EXPECT_NEAR(loss, golden["relearn_loss"].get<double>(), 1e-5 * loss);
    EXPECT_FALSE(at::equal(trainable.Snapshot(), before));
    Accumulate(model, forget, all, 64, &sink, tokens);
    gradient = trainable.arena().gradient.clone();
    trainable.arena().gradient.zero_();
    if (step == 1) gradient.mul_(3);  // the norm of the first one is what counts
    rehearsal.SeeNorm(rehearsal.Return(gradient).item<double>());
    const auto returned = GradientNorm(gradient).item<double>();
    if (step == 0) norm = returned;
    EXPECT_NEAR(returned, norm, 1e-6 * norm);
    EXPECT_TRUE(at::equal(trainable.Snapshot(), before));
    for (const MaskedParameter& parameter : trainable.parameters()) {
      EXPECT_TRUE(at::equal(model.weights->tensors().at(parameter.name).flatten(), parameter.master));
    }
    int64_t begin = 0;
    for (const MaskedParameter& parameter : trainable.parameters()) {
      ExpectFingerprint(gradient.narrow(0, begin, parameter.master.numel()),
                  golden["at_adversary"][parameter.name], 1e-4, parameter.name);
      begin += parameter.master.numel();
    }
  }
}

// An adversary that hardly moves finds the gradient of the model itself.
TEST_F(RehearsalTest, WithoutRelearningIsTheGradientHere) {
  const Json& golden = golden_["rehearsal"];
  const Model model = LoadTiny(name_);
  Trainable trainable(model, EveryMatrix(model));
  const LossTerm forget = Term("forget", FindForgetObjective("graddiff"), golden["gamma"]);
  Rehearsal rehearsal(model, trainable, Term("relearn", FindRetainObjective("nll")),
                      {.rehearse = 1, .rehearse_lr = 1e-30}, 100, 1, 64);
  GatherSink sink(trainable);
  std::vector<int64_t> all(data_.forget.size());
  std::iota(all.begin(), all.end(), int64_t{0});
  int64_t tokens = 0;
  rehearsal.Relearn(0, sink, tokens);
  Accumulate(model, forget, all, 64, &sink, tokens);
  at::Tensor gradient = trainable.arena().gradient.clone();
  rehearsal.Return(gradient);
  int64_t begin = 0;
  for (const MaskedParameter& parameter : trainable.parameters()) {
    ExpectFingerprint(gradient.narrow(0, begin, parameter.master.numel()), golden["here"][parameter.name],
                1e-4, parameter.name);
    begin += parameter.master.numel();
  }
}

struct SteppedRun {
  SteppedRun(const std::string& name, const InfluenceGolden& data, const Mask& mask,
             const ForgetGradientOptions& options)
      : model(LoadTiny(name)), trainable(model, mask) {
    auto terms = MakeTerms(data.forget, data.retain, {});
    for (LossTerm& term : terms) ComputeReference(model, term, 64);
    StepOptions steps;
    steps.steps = 7;
    steps.batch_size = 4;
    steps.lr = 3e-3;
    const LossTerm relearn{.name = "relearn",
                           .objective = &FindRetainObjective("nll"),
                           .sequences = &data.forget};
    tuner = std::make_unique<Tuner>(model, trainable, terms, steps, 5, 64, Judge{},
                                    ForgetGradientPlan{options, relearn});
  }

  Model model;
  Trainable trainable;
  std::unique_ptr<Tuner> tuner;
};

std::string LogWithoutTimes(const std::vector<Json>& log) {
  std::string lines;
  for (Json record : log) {
    for (const char* key : {"seconds", "tokens_per_second", "peak_memory_bytes"}) record.erase(key);
    lines += record.dump() + "\n";
  }
  return lines;
}

// Stopped after any step and gone on from a file: the same bits, an adversary in the middle of its
// relearning included.
TEST_F(RehearsalTest, GoesOnBitForBit) {
  const Mask mask = EveryMatrix(LoadTiny(name_));
  for (const ForgetGradientOptions& options :
       {ForgetGradientOptions{.surgery = "gu"},
        ForgetGradientOptions{.surgery = "agree", .rehearse = 1, .rehearse_every = 3},
        ForgetGradientOptions{.surgery = "pcgrad", .rehearse = 2}}) {
    const auto dir = EmptyDirectory("rehearsal_state");
    SteppedRun whole(name_, data_, mask, options);
    int64_t stops = 0;
    while (!whole.tuner->done()) {
      SaveTuneState(dir / std::to_string(stops++), whole.tuner->state());
      whole.tuner->Step();
    }
    whole.tuner->Finish();
    ASSERT_EQ(stops, 7);
    for (int64_t stop = 1; stop < stops; stop += TestDevice().is_cpu() ? 2 : 4) {
      SCOPED_TRACE(options.surgery + std::to_string(stop));
      SteppedRun resumed(name_, data_, mask, options);
      resumed.tuner->GoOnFrom(LoadTuneState(dir / std::to_string(stop)));
      while (!resumed.tuner->done()) resumed.tuner->Step();
      resumed.tuner->Finish();
      EXPECT_TRUE(at::equal(whole.trainable.Snapshot(), resumed.trainable.Snapshot()));
      EXPECT_EQ(LogWithoutTimes(whole.tuner->Report().log),
                LogWithoutTimes(resumed.tuner->Report().log));
    }
  }
}

// Apart and together again is the same step; what a surgery takes out is not.
TEST_F(RehearsalTest, ASurgeryChangesTheStepAndNothingElseDoes) {
  const Mask mask = EveryMatrix(LoadTiny(name_));
  std::map<std::string, at::Tensor> ends;
  for (const Surgery& surgery : Surgeries()) {
    SteppedRun run(name_, data_, mask, {.surgery = std::string(surgery.name)});
    run.tuner->Step();
    ends[std::string(surgery.name)] = run.trainable.Snapshot();
    const Json record = run.tuner->state().log.back();
    EXPECT_EQ(record.contains("gradient_cosine"), surgery.name != "none");
    EXPECT_FALSE(record.contains("relearn_loss"));
  }
  EXPECT_FALSE(at::equal(ends["none"], ends["gu"]));
  EXPECT_FALSE(at::equal(ends["none"], ends["agree"]));
  SteppedRun rehearsed(name_, data_, mask, {.rehearse = 3});
  rehearsed.tuner->Step();
  EXPECT_TRUE(rehearsed.tuner->state().log.back().contains("relearn_loss"));
  EXPECT_EQ(rehearsed.tuner->state().rehearsal.drawn, 12);
}

TEST_F(RehearsalTest, RefusesWhatDoesNotGoTogether) {
  const Model model = LoadTiny(name_);
  Trainable trainable(model, EveryMatrix(model));
  ObjectiveOptions objective;
  const auto message = [&](const ForgetGradientOptions& options) {
    return MessageOf([&] {
      StepOptions steps;
      Tuner(model, trainable, MakeTerms(data_.forget, data_.retain, objective), steps, 1, 64, {},
            {.options = options, .relearn = Term("relearn", FindRetainObjective("nll"))});
    });
  };
  EXPECT_EQ(message({.surgery = "pcgrad"}), "no error");
  EXPECT_THAT(message({.rehearse = -1}), HasSubstr("--rehearse is -1"));
  EXPECT_THAT(message({.rehearse_lr = 0}), HasSubstr("--rehearse-lr is 0"));
  EXPECT_THAT(message({.rehearse_every = 0}), HasSubstr("--rehearse-every is 0"));
  objective.alpha = 0;
  EXPECT_THAT(message({.surgery = "gu"}), HasSubstr("--objective npo and --alpha 0"));
  objective = {};
  objective.objective = "ga";
  EXPECT_THAT(message({.surgery = "agree"}), HasSubstr("of which there is none with --objective ga"));
  EXPECT_EQ(message({.rehearse = 1}), "no error");
}

}  // namespace
}  // namespace grin
