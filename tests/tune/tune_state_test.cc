// A run that is stopped at any step and goes on from its state ends as one that was not: the same
// bits in weights, state and log.

#include "grin/tune/tune_state.h"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>

#include "grin/locate/top_k.h"
#include "grin/perturb/options.h"
#include "grin/tune/perturb_stage.h"
#include "grin/tune/state_file.h"
#include "grin/tune/tune.h"
#include "grin/tune/tune_plan.h"
#include "tests/data/toy_checkpoint.h"
#include "tests/locate/influence_golden.h"

namespace grin {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

constexpr uint64_t kSeed = 5;

Mask TenthOf(const Model& model) {
  at::manual_seed(3);
  std::vector<ScoreTensor> scores;
  int64_t total = 0;
  for (const std::string& name : model.BlockMatrices()) {
    scores.push_back({name, at::rand(model.weights->tensors().at(name).sizes())});
    total += scores.back().values.numel();
  }
  return SelectTopK(scores, total / 10);
}

// Every stop on the CPU; some of them on the stand-in device, where an operator costs several times as
// much.
const size_t kStride = TestDevice().is_cpu() ? 1 : 4;

// The log without times and memory.
std::string Comparable(const std::vector<Json>& log) {
  std::string lines;
  for (Json record : log) {
    for (const char* key : {"seconds", "tokens_per_second", "peak_memory_bytes"}) record.erase(key);
    lines += record.dump() + "\n";
  }
  return lines;
}

// A process: a model of its own with noise in it, and a tuner. Made twice alike, it does the same.
struct TunedRun {
  TunedRun(at::ScalarType dtype, bool everything, const Judge& judge, double lr = 3e-3,
           const ObjectiveOptions& objective = {})
      : model(LoadModel(Checkpoint::Open(TinyPath("llama_gqa_tied")), dtype, TestDevice())),
        trainable(everything ? Trainable::Everything(model) : Trainable(model, TenthOf(model))) {
    auto terms = MakeTerms(golden.forget, golden.retain, objective);
    for (LossTerm& term : terms) ComputeReference(model, term, 64);
    if (!everything) Perturb(model, trainable, PerturbOptions{}, kSeed);
    StepOptions options;
    options.epochs = 3;  // of 9 sequences in batches of 4: steps of unequal size
    options.batch_size = 4;
    options.lr = lr;
    tuner = std::make_unique<Tuner>(model, trainable, terms, options, kSeed, 64, judge);
  }

  InfluenceGolden golden{"llama_gqa_tied"};
  Model model;
  Trainable trainable;
  std::unique_ptr<Tuner> tuner;
};

void ExpectSame(const TunedRun& a, const TunedRun& b) {
  const TuneReport left = a.tuner->Report(), right = b.tuner->Report();
  EXPECT_EQ(Comparable(left.log), Comparable(right.log));
  EXPECT_EQ(left.kept_step, right.kept_step);
  EXPECT_EQ(left.tokens, right.tokens);
  EXPECT_EQ(left.guard, right.guard);
  EXPECT_TRUE(at::equal(a.tuner->state().master, b.tuner->state().master));
  for (const auto& [name, tensor] : a.model.weights->tensors()) {
    EXPECT_TRUE(at::equal(tensor, b.model.weights->tensors().at(name))) << name;
  }
}

// Stops after every number of steps, also before the first and after the end, and goes on in
// another model from a file.
void ExpectResumable(at::ScalarType dtype, bool everything, const Judge& judge, double lr = 3e-3,
                     const ObjectiveOptions& objective = {}) {
  const auto dir = EmptyDirectory("tune_state");
  TunedRun whole(dtype, everything, judge, lr, objective);
  SaveTuneState(dir / "0", whole.tuner->state());
  int64_t stops = 1;
  for (; !whole.tuner->done(); ++stops) {
    whole.tuner->Step();
    if (!whole.tuner->state().guard.empty()) break;  // found again from the state before
    SaveTuneState(dir / std::to_string(stops), whole.tuner->state());
  }
  whole.tuner->Finish();
  SaveTuneState(dir / std::to_string(stops++), whole.tuner->state());
  for (int64_t stop = 0; stop < stops; stop += static_cast<int64_t>(kStride)) {
    SCOPED_TRACE(stop);
    TunedRun resumed(dtype, everything, judge, lr, objective);
    resumed.tuner->GoOnFrom(LoadTuneState(dir / std::to_string(stop)));
    while (!resumed.tuner->done()) resumed.tuner->Step();
    resumed.tuner->Finish();
    ExpectSame(whole, resumed);
  }
}

// Prefers a step in the middle; a pure function of how often it was asked would not do here.
Judge JudgeByWeights(const Model*& model) {
  return {.measure =
              [&model] {
                const at::Tensor& weight =
                    model->weights->tensors().at(model->BlockMatrices().front());
                const double sum = weight.to(at::kDouble).sum().item<double>();
                return Judge::Verdict{.score = std::sin(1e6 * sum), .figures = {{"sum", sum}}};
              },
          .times = 5};
}

TEST(TuneState, GoesOnBitForBit) {
  for (const auto dtype : {at::kFloat, at::kBFloat16}) {
    if (!TestDevice().is_cpu() && dtype == at::kFloat) continue;  // as the tests below do
    SCOPED_TRACE(c10::toString(dtype));
    ExpectResumable(dtype, false, {});
  }
}

TEST(TuneState, GoesOnBitForBitWithEveryWeight) { ExpectResumable(at::kFloat, true, {}); }

// The weight of pdu's retain loss changes as it goes, and so does a scorer of tokens.
TEST(TuneState, GoesOnBitForBitWithADualVariableAndALearningScorer) {
  ObjectiveOptions objective;
  objective.objective = "pdu";
  objective.gamma = 0.1;
  objective.alpha = 0.5;
  objective.parameters["retain-limit"] = 4;
  objective.parameters["dual-warmup"] = 0.2;
  objective.forget_tokens = "learned";
  ExpectResumable(at::kFloat, false, {}, 3e-3, objective);
  TunedRun run(at::kFloat, false, {}, 3e-3, objective);
  for (int i = 0; i < 5; ++i) run.tuner->Step();
  const TuneState& state = run.tuner->state();
  EXPECT_EQ(state.log[1]["retain_weight"].get<double>(), 0.5) << "still warming up";
  EXPECT_GT(state.terms[1].scale, 0.6);
  EXPECT_GT(state.scorer[0].abs().max().item<double>(), 1e-4);
}

// A run that a guard ends: the skipped step before it may lie on either side of the stop.
TEST(TuneState, GoesOnBitForBitToAGuard) { ExpectResumable(at::kFloat, false, {}, 1e30); }

TEST(TuneState, GoesOnBitForBitWithAJudge) {
  const auto dir = EmptyDirectory("tune_state_judge");
  const Model* model = nullptr;
  const Judge judge = JudgeByWeights(model);
  TunedRun whole(at::kFloat, false, judge);
  model = &whole.model;
  std::vector<fs::path> stops;
  while (!whole.tuner->done()) {
    stops.push_back(dir / std::to_string(stops.size()));
    SaveTuneState(stops.back(), whole.tuner->state());
    whole.tuner->Step();
  }
  whole.tuner->Finish();
  EXPECT_LT(whole.tuner->Report().kept_step, whole.tuner->steps()) << "let it go back a little";
  for (size_t stop = 0; stop < stops.size(); stop += kStride) {
    SCOPED_TRACE(stops[stop].string());
    TunedRun resumed(at::kFloat, false, judge);
    model = &resumed.model;
    resumed.tuner->GoOnFrom(LoadTuneState(stops[stop]));
    while (!resumed.tuner->done()) resumed.tuner->Step();
    resumed.tuner->Finish();
    ExpectSame(whole, resumed);
  }
}

// Reference values and the judge's start are those of the untouched model, not of the noise.
TEST(TuneState, APlanGoesOnFromWhatItFound) {
  const auto toy = MakeToy("tune_plan_toy", {.context = 64});
  const auto dir = EmptyDirectory("tune_plan");
  std::vector<Example> forget(3), retain(4);
  for (size_t i = 0; i < forget.size(); ++i) {
    forget[i].prompt = "Who is " + std::string(1, static_cast<char>('A' + i)) + "?";
    forget[i].response = "Oda Venn of Hallowmere.";
  }
  for (size_t i = 0; i < retain.size(); ++i) {
    retain[i].prompt = "What is " + std::to_string(i) + "?";
    retain[i].response = "A number, number " + std::to_string(i) + ".";
  }
  StepOptions steps;
  steps.steps = 4;
  steps.batch_size = 2;
  const auto run = [&](const StateFile* stored, StateFile* found) {
    const auto checkpoint = Checkpoint::Open(toy);
    const Model model = LoadModel(checkpoint, at::kFloat, TestDevice());
    const Encoder encoder(*checkpoint, model.config, {});
    const Task task = MakeTask(encoder, forget, retain, false);
    TunePlan plan(model, task, encoder, {}, steps, 1, 64);
    if (!stored) plan.Prepare();
    Trainable trainable(model, TenthOf(model));
    Perturb(model, trainable, PerturbOptions{}, 1);
    if (stored) plan.Prepare(*stored);  // after the noise, so that measuring again would show
    if (found) *found = plan.Prepared();
    const TuneReport report = plan.Run(trainable);
    return std::pair(trainable.Snapshot(), Comparable(report.log));
  };
  StateFile found;
  const auto whole = run(nullptr, &found);
  WriteStateFile(dir / "start", found);
  const StateFile stored = ReadStateFile(dir / "start");
  const auto resumed = run(&stored, nullptr);
  EXPECT_TRUE(at::equal(whole.first, resumed.first));
  EXPECT_EQ(whole.second, resumed.second);
  EXPECT_THAT(MessageOf([&] {
                const StateFile nothing{.fields = stored.fields};
                run(&nothing, nullptr);
              }),
              HasSubstr("no reference values are stored for the forget set"));
}

TEST(TuneState, KeepsWhatJsonCannot) {
  const auto dir = EmptyDirectory("tune_state_exact");
  TuneState state;
  state.master = state.m = state.v = at::ones({3});
  state.terms.resize(2);
  state.terms[0] = {.drawn = 7, .first_loss = 0.1, .losses = RecentValues({1.0 / 3, 1e-300})};
  state.best.master = at::zeros({3});
  state.log = {{{"forget_loss", 0.1}}, {{"forget_loss", std::nan("")}, {"skipped", "why"}}};
  SaveTuneState(dir / "state", state);
  const TuneState again = LoadTuneState(dir / "state");
  EXPECT_EQ(again.terms[0].first_loss, 0.1);
  EXPECT_EQ(again.terms[0].losses.values(), state.terms[0].losses.values());
  EXPECT_TRUE(std::isnan(again.terms[1].first_loss));
  EXPECT_EQ(again.best.score, -std::numeric_limits<double>::infinity());
  EXPECT_FALSE(again.pending.master.defined());
  EXPECT_EQ(Comparable(again.log), Comparable(state.log));
}

// Whatever byte is changed, and wherever the file ends.
TEST(TuneState, RefusesATornOrCorruptedFile) {
  const auto dir = EmptyDirectory("tune_state_torn");
  TuneState state;
  state.master = state.m = state.v = at::arange(5, at::kFloat);
  state.terms.resize(2);
  state.log = {{{"step", 1}}};
  SaveTuneState(dir / "good", state);
  const std::string good = ReadFile(dir / "good");
  const auto message = [&](const std::string& bytes) {
    WriteFile(dir / "bad", bytes);
    return MessageOf([&] { LoadTuneState(dir / "bad"); });
  };
  for (size_t size = 0; size < good.size(); size += 37) {
    EXPECT_NE(message(good.substr(0, size)), "no error") << size;
  }
  EXPECT_NE(message(good + "x"), "no error");
  for (size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 4);
    const std::string what = message(bad);
    // Spaces that pad the header say nothing.
    EXPECT_TRUE(what != "no error" || good[i] == ' ') << i;
  }
  std::string bad = good;
  bad.back() = static_cast<char>(bad.back() ^ 1);
  EXPECT_THAT(message(bad), HasSubstr("does not match its checksum"));
}

TEST(TuneState, OfAnotherRunIsRefused) {
  TunedRun masked(at::kFloat, false, {}), everything(at::kFloat, true, {});
  EXPECT_THAT(MessageOf([&] { everything.tuner->GoOnFrom(masked.tuner->state()); }),
              HasSubstr("the saved state is of another run"));
}

TEST(RecentValues, TellsHowFarAValueStandsOut) {
  RecentValues values;
  for (int i = 0; i < 9; ++i) values.Add(1.0 + 0.1 * (i % 3));
  EXPECT_EQ(values.SpreadsAbove(1000, 0), 0) << "too few to tell";
  values.Add(1.1);
  // Median 1.1; half of the deviations are 0.1 or more: the spread is 1.4826 * 0.1.
  EXPECT_NEAR(values.SpreadsAbove(1.1 + 0.14826, 0), 1, 1e-9);
  EXPECT_NEAR(values.SpreadsAbove(2.1, 0.5), 2, 1e-9) << "the floor";
  EXPECT_LT(values.SpreadsAbove(-50, 0), 0) << "below is no harm";
  for (int i = 0; i < 100; ++i) values.Add(5);
  EXPECT_EQ(values.values().size(), 32u);
  EXPECT_NEAR(values.SpreadsAbove(6, 0), 2, 1e-9) << "a tenth of the median at least";
}

// A step with one broken batch is left out, and the run goes on.
TEST(Guards, SkipOneStepThatStandsOut) {
  const InfluenceGolden golden("llama_gqa_tied");
  const Model model = LoadTiny("llama_gqa_tied");
  Trainable trainable(model, TenthOf(model));
  // A retain loss that is 100 times its own value at one call, and not a number at another.
  static int64_t calls;
  calls = 0;
  Objective sometimes = FindRetainObjective("nll");
  sometimes.kind = OnLogp{[](const TokenValues& values, const ObjectiveSettings& settings) {
    LossAndGradient result =
        std::get<OnLogp>(FindRetainObjective("nll").kind).loss(values, settings);
    ++calls;
    if (calls == 15) result.loss.mul_(100);
    if (calls == 18) result.loss.fill_(std::nan(""));
    return result;
  }};
  std::vector<LossTerm> terms = {{.name = "retain",
                                  .objective = &sometimes,
                                  .sequences = &golden.retain,
                                  .per_epoch = true,
                                  .guarded = true}};
  StepOptions options;
  options.steps = 20;
  options.batch_size = 4;
  options.collapse = 0;
  const TuneReport report = Tune(model, trainable, terms, options, 1, 1 << 20, {});
  EXPECT_EQ(report.guard, "");
  EXPECT_EQ(report.steps, 20);
  EXPECT_EQ(report.kept_step, 20);
  for (size_t i = 0; i < report.log.size(); ++i) {
    EXPECT_EQ(report.log[i].contains("skipped"), i == 14 || i == 17) << report.log[i].dump();
  }
  EXPECT_THAT(report.log[14]["skipped"].get<std::string>(),
              HasSubstr("spreads above the steps before"));
  EXPECT_THAT(report.log[17]["skipped"].get<std::string>(), HasSubstr("the retain loss is not a number"));
}

// A skipped step draws its sequences and moves nothing: not even the moments.
TEST(Guards, ASkippedStepMovesNothing) {
  TunedRun run(at::kFloat, false, {}, 1e30);
  run.tuner->Step();  // a learning rate that wrecks the model
  const at::Tensor master = run.trainable.Snapshot();
  const at::Tensor m = run.tuner->state().m.clone();
  const int64_t drawn = run.tuner->state().terms[0].drawn;
  run.tuner->Step();
  ASSERT_TRUE(run.tuner->state().log.back().contains("skipped"));
  EXPECT_TRUE(at::equal(master, run.trainable.Snapshot()));
  EXPECT_TRUE(at::equal(m, run.tuner->state().m));
  EXPECT_EQ(run.tuner->state().updates, 1);
  EXPECT_GT(run.tuner->state().terms[0].drawn, drawn);
  run.tuner->Step();  // the second in a row
  EXPECT_FALSE(run.tuner->state().guard.empty());
  EXPECT_TRUE(run.tuner->done());
  EXPECT_EQ(run.tuner->state().step, 2);
}

}  // namespace
}  // namespace grin
