// The training loop: losses as PyTorch has them, frozen weights, passes, seeds, guards.

#include <gmock/gmock.h>

#include <cmath>

#include "grin/engine/likelihood.h"
#include "grin/io/write_checkpoint.h"
#include "grin/locate/top_k.h"
#include "grin/run/compare.h"
#include "grin/tune/tune_plan.h"
#include "tests/data/toy_checkpoint.h"
#include "tests/locate/influence_golden.h"

namespace grin {
namespace {

using ::testing::HasSubstr;

// A random mask of a tenth of the block matrices.
Mask RandomMask(const Model& model, uint64_t seed = 1) {
  at::manual_seed(seed);
  std::vector<ScoreTensor> scores;
  int64_t total = 0;
  for (const std::string& name : model.BlockMatrices()) {
    scores.push_back({name, at::rand(model.weights->tensors().at(name).sizes())});
    total += scores.back().values.numel();
  }
  return SelectTopK(scores, total / 10);
}

StepOptions Steps(int64_t steps, double lr = 3e-3) {
  StepOptions options;
  options.steps = steps;
  options.batch_size = 4;
  options.lr = lr;
  return options;
}

class TuneTest : public ::testing::Test {
 protected:
  const std::string name_ = "llama_gqa_tied";
  const InfluenceGolden golden_{name_};
  const std::filesystem::path path_ = TinyPath(name_);

  std::vector<LossTerm> Terms(const ObjectiveOptions& objective) const {
    return MakeTerms(golden_.forget, golden_.retain, objective);
  }
};

TEST_F(TuneTest, InitialLossesEqualPyTorch) {
  const Json expected = GoldenJson("tune/initial_losses.json");
  ASSERT_EQ(expected["model"], name_);
  const auto refusals = SequencesOf(expected["refusals"]);
  const Model model = LoadTiny(name_);
  for (const Json& row : expected["losses"]) {
    ObjectiveOptions objective;
    objective.objective = row["objective"];
    for (const char* name : {"beta", "beta2", "delta"}) {
      if (row.contains(name)) objective.parameters[name] = row[name].get<double>();
    }
    const auto terms = MakeTerms(objective.objective == "po" ? refusals : golden_.forget,
                                 golden_.retain, objective);
    for (const int64_t pass_tokens : {16, 4096}) {
      if (!TestDevice().is_cpu() && pass_tokens == 16) continue;  // see DoesNotDependOnThePasses
      const auto losses = InitialLosses(model, terms, pass_tokens);
      const double loss = row["loss"];
      EXPECT_NEAR(losses[0], loss, 1e-5 * std::max(1.0, std::abs(loss))) << row.dump();
      // What a small loss is made of is as near, relatively, as the exponent of its terms.
      EXPECT_NEAR(losses[0], loss, 1e-4 * std::abs(loss)) << row.dump();
      if (losses.size() > 1) {
        EXPECT_NEAR(losses[1], expected["retain"].get<double>(), 1e-5);
      }
    }
  }
}

TEST_F(TuneTest, TheFirstStepReportsThoseLosses) {
  const Model model = LoadTiny(name_);
  ObjectiveOptions objective;
  objective.gamma = 0.5;  // reported losses are without their scale
  StepOptions steps = Steps(1);
  steps.batch_size = static_cast<int64_t>(golden_.forget.size());
  Trainable trainable(model, RandomMask(model));
  const TuneReport report = Tune(model, trainable, Terms(objective), steps, 1, 64, {});
  EXPECT_EQ(report.steps, 1);
  EXPECT_NEAR(report.first["forget_loss"].get<double>(), 20 * std::log(2.0), 1e-5);
}

TEST_F(TuneTest, LowersTheLossOnWhatItSees) {
  const Model model = LoadTiny(name_);
  Trainable trainable = Trainable::Everything(model);
  StepOptions steps = Steps(30, 1e-2);
  steps.batch_size = 9;
  const TuneReport report = Finetune(model, trainable, golden_.forget, steps, 1, 4096);
  EXPECT_EQ(report.steps, 30);
  EXPECT_EQ(report.log.size(), 30u);
  EXPECT_LT(report.last["data_loss"].get<double>(), 0.5 * report.first["data_loss"].get<double>());
}

TEST_F(TuneTest, EpochsCoverTheForgetSet) {
  const Model model = LoadTiny(name_);
  Trainable trainable(model, RandomMask(model));
  StepOptions steps = Steps(0, 1e-5);
  steps.epochs = 3;  // of 9 sequences in batches of 4: 4 + 4 + 1
  const TuneReport report = Tune(model, trainable, Terms({}), steps, 1, 4096, {});
  EXPECT_EQ(report.steps, 9);
}

// What training may not touch has the same bits afterwards, in memory and in the file written.
void ExpectFrozenOutsideMask(const std::filesystem::path& source, at::ScalarType compute,
                             const std::vector<Sequence>& forget,
                             const std::vector<Sequence>& retain, const std::string& scratch) {
  const auto checkpoint = Checkpoint::Open(source);
  const Model model = LoadModel(checkpoint, compute, TestDevice());
  std::map<std::string, at::Tensor> before;
  for (const auto& [name, tensor] : model.weights->tensors()) before[name] = tensor.clone();
  const Mask mask = RandomMask(model);
  Trainable trainable(model, mask);
  ASSERT_EQ(trainable.count(), mask.count());
  StepOptions steps = Steps(3);
  steps.weight_decay = 0.1;  // decay must not reach frozen weights either
  steps.collapse = 0;
  Tune(model, trainable, MakeTerms(forget, retain, {}), steps, 1, 4096, {});

  int64_t changed = 0;
  for (const auto& [name, tensor] : model.weights->tensors()) {
    const at::Tensor differs = tensor.ne(before[name]).flatten().cpu();
    changed += differs.sum().item<int64_t>();
    const at::Tensor indices = mask.Find(name) ? mask.Indices(name) : at::empty({0}, at::kLong);
    EXPECT_EQ(differs.index_fill(0, indices, false).sum().item<int64_t>(), 0) << name;
  }
  EXPECT_GT(changed, mask.count() / 2);

  const auto out = EmptyDirectory(scratch);
  WriteCheckpoint(*checkpoint, out, trainable.Edit());
  const auto written = Checkpoint::Open(out);
  const Comparison comparison = CompareCheckpoints(*checkpoint, *written, &mask);
  EXPECT_EQ(comparison.outside_mask, 0);
  EXPECT_GT(comparison.changed, mask.count() / 2);
  EXPECT_LE(comparison.changed, mask.count());
  // The file computes what memory computed.
  const Model again = LoadModel(written, compute, TestDevice());
  if (FloatScalarType(checkpoint->Find(model.embedding.name)->dtype) == compute) {
    for (const auto& [name, tensor] : model.weights->tensors()) {
      EXPECT_TRUE(at::equal(tensor, again.weights->tensors().at(name))) << name;
    }
  }
}

TEST_F(TuneTest, FrozenWeightsKeepTheirBits) {
  for (const char* name : kTinyModels) {
    if (LeftOutOnDevice(name)) continue;
    const Json golden = GoldenJson(std::string("model/") + name + "/golden.json");
    std::vector<Sequence> sequences = SequencesOf(golden["sequences"]);
    sequences.erase(sequences.begin());  // one token has no label
    const std::vector<Sequence> forget(sequences.begin(), sequences.begin() + 4);
    const std::vector<Sequence> retain(sequences.begin() + 4, sequences.end());
    SCOPED_TRACE(name);
    ExpectFrozenOutsideMask(TinyPath(name), at::kFloat, forget, retain, "frozen");
    ExpectFrozenOutsideMask(TinyPath(name), at::kBFloat16, forget, retain, "frozen");
  }
}

TEST_F(TuneTest, FrozenWeightsKeepTheirBitsInEveryStoredType) {
  for (const auto stored : {at::kFloat, at::kBFloat16, at::kHalf}) {
    SCOPED_TRACE(c10::toString(stored));
    const auto toy = MakeToy("frozen_toy", {.dtype = stored, .tokenizer = ""});
    for (const auto compute : {at::kFloat, at::kBFloat16}) {
      ExpectFrozenOutsideMask(toy, compute, golden_.forget, golden_.retain, "frozen");
    }
  }
}

// Masters after a run, end to end.
at::Tensor Masters(const std::filesystem::path& path, const std::vector<LossTerm>& terms,
                   uint64_t seed, int64_t pass_tokens) {
  const Model model = LoadModel(Checkpoint::Open(path), at::kFloat, TestDevice());
  Trainable trainable(model, RandomMask(model));
  StepOptions steps = Steps(4, 1e-3);
  steps.collapse = 0;
  Tune(model, trainable, terms, steps, seed, pass_tokens, {});
  return trainable.Snapshot();
}

TEST_F(TuneTest, DoesNotDependOnThePasses) {
  const auto terms = Terms({});
  const at::Tensor whole = Masters(path_, terms, 1, 1 << 20);
  const at::Tensor parts = Masters(path_, terms, 1, 20);
  EXPECT_LT((whole - parts).abs().max().item<float>(), 1e-5);
}

TEST_F(TuneTest, DependsOnTheSeedAlone) {
  const auto terms = Terms({});
  EXPECT_TRUE(at::equal(Masters(path_, terms, 1, 64), Masters(path_, terms, 1, 64)));
  EXPECT_FALSE(at::equal(Masters(path_, terms, 1, 64), Masters(path_, terms, 2, 64)));
}

bool AllFinite(const at::Tensor& tensor) { return at::isfinite(tensor).all().item<bool>(); }

TEST_F(TuneTest, StopsWhenTheRetainLossCollapses) {
  const Model model = LoadTiny(name_);
  Trainable trainable(model, RandomMask(model));
  ObjectiveOptions objective;
  objective.objective = "ga";
  objective.alpha = 0;
  StepOptions steps = Steps(50, 0.3);
  steps.collapse = 1.2;
  steps.schedule = "constant";
  steps.max_grad_norm = 0;
  LossTerm retain{.name = "retain",
                  .objective = &FindRetainObjective("nll"),
                  .scale = 0,
                  .sequences = &golden_.retain,
                  .guarded = true};
  auto terms = Terms(objective);
  terms.resize(1);
  terms.push_back(retain);
  const TuneReport report = Tune(model, trainable, terms, steps, 1, 4096, {});
  EXPECT_THAT(report.guard, HasSubstr("the retain loss is"));
  EXPECT_THAT(report.guard, HasSubstr("collapses"));
  EXPECT_LT(report.steps, 50);
  // The last step was skipped, the next one was as bad. The last step that was not skipped made the
  // model collapse; the state that it started from had passed the guard.
  EXPECT_THAT(report.last["skipped"].get<std::string>(), HasSubstr("collapses"));
  std::vector<int64_t> made;
  for (const Json& record : report.log) {
    if (!record.contains("skipped")) made.push_back(record["step"].get<int64_t>());
  }
  ASSERT_GE(made.size(), 2u);
  EXPECT_EQ(report.kept_step, made[made.size() - 2]);
}

TEST_F(TuneTest, KeepsTheStepThatTheJudgePrefers) {
  const Model model = LoadTiny(name_);
  Trainable trainable(model, RandomMask(model));
  std::vector<at::Tensor> states;
  int64_t calls = 0;
  const Judge judge{
      .measure =
          [&] {
            states.push_back(trainable.Snapshot());
            return Judge::Verdict{.score = calls++ == 3 ? 1.0 : 0.1 * static_cast<double>(calls)};
          },
      .times = 6};
  const TuneReport report = Tune(model, trainable, Terms({}), Steps(6), 1, 4096, judge);
  EXPECT_EQ(report.steps, 6);
  EXPECT_EQ(report.kept_step, 4);
  ASSERT_EQ(states.size(), 6u);
  EXPECT_TRUE(at::equal(trainable.Snapshot(), states[3]));
}

// A learning rate that wrecks the model at once: what is kept is finite, the best step there was.
TEST_F(TuneTest, NotANumberStopsTheRunAndIsNotKept) {
  const Model model = LoadTiny(name_);
  Trainable trainable = Trainable::Everything(model);
  const at::Tensor start = trainable.Snapshot();
  StepOptions steps = Steps(6, 1e30);
  steps.schedule = "constant";
  const auto finite_score = [&] {  // what a judge makes of NaN: nothing to prefer
    const auto scores = ScoreSequences(model, golden_.retain, {});
    double sum = 0;
    for (const SequenceScores& s : scores) sum += s.Probability();
    return Judge::Verdict{.score = sum};
  };
  const TuneReport report =
      Tune(model, trainable, Terms({}), steps, 1, 4096, {.measure = finite_score});
  EXPECT_FALSE(report.guard.empty());
  EXPECT_LT(report.steps, 6);
  EXPECT_TRUE(AllFinite(trainable.Snapshot()));
  EXPECT_EQ(report.kept_step, 0);
  EXPECT_TRUE(at::equal(trainable.Snapshot(), start));
  for (const auto& [name, tensor] : model.weights->tensors()) {
    EXPECT_TRUE(at::isfinite(tensor).all().item<bool>()) << name;
  }
}

// No next step finds the last one out; the check behind it does.
TEST_F(TuneTest, ACollapseInTheLastStepIsFoundAndNotKept) {
  const Model model = LoadTiny(name_);
  Trainable trainable(model, RandomMask(model));
  const at::Tensor start = trainable.Snapshot();
  StepOptions steps = Steps(1, 1e30);
  const TuneReport report = Tune(model, trainable, Terms({}), steps, 1, 4096, {});
  EXPECT_FALSE(report.guard.empty());
  EXPECT_EQ(report.steps, 1);
  EXPECT_EQ(report.kept_step, 0);
  EXPECT_TRUE(at::equal(trainable.Snapshot(), start));
}

// Plain fine-tuning keeps no copy of the weights to go back to: they are read again.
TEST_F(TuneTest, AFinetuningThatCollapsesGoesBackToTheStart) {
  const Model model = LoadTiny(name_), untouched = LoadTiny(name_);
  Trainable trainable = Trainable::Everything(model);
  const TuneReport report = Finetune(model, trainable, golden_.forget, Steps(3, 1e30), 1, 4096);
  EXPECT_FALSE(report.guard.empty());
  EXPECT_EQ(report.kept_step, 0);
  for (const auto& [name, tensor] : model.weights->tensors()) {
    EXPECT_TRUE(at::equal(tensor, untouched.weights->tensors().at(name))) << name;
  }
}

TEST_F(TuneTest, RefusesImpossibleSteps) {
  const Model model = LoadTiny(name_);
  Trainable trainable(model, RandomMask(model));
  const auto message = [&](StepOptions options) {
    return MessageOf([&] { Tune(model, trainable, Terms({}), options, 1, 4096, {}); });
  };
  EXPECT_THAT(message({.batch_size = 0}), HasSubstr("--batch-size is 0"));
  EXPECT_THAT(message({.epochs = 0}), HasSubstr("--epochs is 0"));
  EXPECT_THAT(message({.lr = -1}), HasSubstr("--lr is -1"));
  EXPECT_THAT(message({.schedule = "lineal"}), HasSubstr("linear"));
  auto terms = Terms({});
  const std::vector<Sequence> none;
  terms[1].sequences = &none;
  EXPECT_THAT(MessageOf([&] { Tune(model, trainable, terms, Steps(1), 1, 4096, {}); }),
              HasSubstr("the retain set is empty"));
}

TEST_F(TuneTest, RefusesAMaskOfAnotherModel) {
  const Mask mask = RandomMask(LoadTiny("mistral_window"));
  const Model model = LoadTiny(name_);
  EXPECT_THAT(MessageOf([&] { Trainable(model, mask); }), HasSubstr("the mask has"));
}

}  // namespace
}  // namespace grin
