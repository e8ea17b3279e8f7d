// Methods beside tune: against values by hand and PyTorch in float64, masks, going on.

#include "grin/tune/method.h"

#include <gmock/gmock.h>

#include <cmath>
#include <cstring>
#include <functional>

#include "grin/io/write_checkpoint.h"
#include "grin/locate/gradient_pass.h"
#include "grin/perturb/shrink.h"
#include "grin/tune/divergence_search.h"
#include "grin/tune/low_rank.h"
#include "grin/tune/low_rank_adapter.h"
#include "grin/tune/perturb_stage.h"
#include "grin/tune/selected_importance.h"
#include "grin/tune/single_edit.h"
#include "tests/locate/influence_golden.h"
#include "tests/model/fingerprint.h"
#include "tests/tune/objective_golden.h"

namespace grin {
namespace {

using ::testing::HasSubstr;

// The singular values of diag(4, 2, 1): of the two strongest 4 is divided by 4 / 2 on either side, 2 is
// the smallest of them and stays, and 1 lies outside.
TEST(WeakenDirections, ByHand) {
  const at::Tensor matrix = at::diag(at::tensor({4.0f, 2.0f, 1.0f}));
  const LowRank two = StrongestDirections(matrix, 2, 1);
  EXPECT_TRUE(at::allclose(two.s, at::tensor({4.0f, 2.0f})));
  EXPECT_TRUE(at::allclose(WeakenDirections(matrix, two), at::diag(at::tensor({1.0f, 2.0f, 1.0f})),
                           1e-6, 1e-6));
  // A direction that is 0 is none: the smallest that counts is 3.
  const LowRank real = StrongestDirections(at::diag(at::tensor({6.0f, 3.0f, 0.0f})), 3, 1);
  EXPECT_EQ(real.s.numel(), 2);
  EXPECT_EQ(StrongestDirections(at::zeros({3, 4}), 2, 1).s.numel(), 0);
  EXPECT_TRUE(at::equal(WeakenDirections(at::zeros({3, 4}), StrongestDirections(at::zeros({3, 4}), 2, 1)),
                        at::zeros({3, 4})));
}

TEST(WeakenDirections, EqualsPyTorch) {
  const Json golden = GoldenJson("tune/methods.json")["weaken"];
  for (const Json& row : golden) {
    const at::Tensor matrix = MatrixOf(row["matrix"]).to(at::kFloat), expected = MatrixOf(row["result"]);
    const LowRank strongest = StrongestDirections(matrix, row["rank"], 1);
    const at::Tensor s = at::tensor(row["s"].get<std::vector<double>>(), at::kDouble);
    EXPECT_LT((strongest.s.to(at::kDouble) - s).abs().max().item<double>(), 1e-5 * s.max().item<double>());
    const at::Tensor got = WeakenDirections(matrix, strongest).to(at::kDouble);
    EXPECT_LT((got - expected).abs().max().item<double>(), 2e-5 * matrix.abs().max().item<double>());
  }
}

// A large matrix with few directions wanted goes another way, to the same result.
TEST(StrongestDirections, ByARandomRangeAreNearlyExact) {
  at::manual_seed(5);
  const at::Tensor left = std::get<0>(at::linalg_qr(at::randn({900, 800}, at::kDouble), "reduced"));
  const at::Tensor right = std::get<0>(at::linalg_qr(at::randn({800, 800}, at::kDouble), "reduced"));
  const at::Tensor s = at::arange(1, 801, at::kDouble).reciprocal();
  const at::Tensor matrix = left.mul(s).matmul(right.t()).to(at::kFloat);
  const LowRank strongest = StrongestDirections(matrix, 10, 3);
  ASSERT_EQ(strongest.s.numel(), 10);
  EXPECT_LT((strongest.s.to(at::kDouble) / s.narrow(0, 0, 10) - 1).abs().max().item<double>(), 1e-2);
  const at::Tensor share = s[9] / s.narrow(0, 0, 10);
  at::Tensor expected_s = s.clone();
  expected_s.narrow(0, 0, 10).mul_(share.square());
  const at::Tensor expected = left.mul(expected_s).matmul(right.t());
  const at::Tensor got = WeakenDirections(matrix, strongest).to(at::kDouble);
  EXPECT_LT((got - expected).norm().item<double>(), 0.05 * expected.norm().item<double>());
  EXPECT_TRUE(at::equal(strongest.v, StrongestDirections(matrix, 10, 3).v)) << "by seed";
}

// A divergence that is the square of the distance: 0.01 is at 0.1, and within a twentieth below it
// from .0975 on.
TEST(DivergenceSearch, ComesToTheBoundFromAnyStart) {
  for (const double first : {1e-7, 1e-3, 0.0976, 0.3, 50.0}) {
    std::vector<DivergenceTrial> trials;
    while (const auto distance = NextDistance(trials, first, 0.01, 40)) {
      trials.push_back({*distance, *distance * *distance});
    }
    ASSERT_LT(trials.size(), 40u) << first;
    const DivergenceTrial* kept = FarthestWithin(trials, 0.01);
    ASSERT_NE(kept, nullptr);
    EXPECT_GE(kept->distance, std::sqrt(0.0095)) << first;
    EXPECT_LE(kept->distance, 0.1) << first;
  }
  const std::vector<DivergenceTrial> broken = {{1, std::nan("")}};
  EXPECT_EQ(FarthestWithin(broken, 0.01), nullptr);
  EXPECT_DOUBLE_EQ(*NextDistance(broken, 1, 0.01, 40), 1.0 / 8);
  EXPECT_FALSE(NextDistance(broken, 1, 0.01, 1).has_value());
}

class MethodTest : public ::testing::Test {
 protected:
  MethodTest() {
    task_.forget.resize(data_.forget.size());
    task_.retain.resize(data_.retain.size());
    task_.forget_sequences = data_.forget;
    task_.retain_sequences = data_.retain;
    steps_.batch_size = 100;
  }

  // The tiny checkpoint with every tensor times a factor, in fp32.
  std::shared_ptr<const Checkpoint> Scaled(const std::string& name, float factor) const {
    const auto wide = EmptyDirectory("method_wide_" + name), dir = EmptyDirectory("method_" + name);
    WriteCheckpoint(*Checkpoint::Open(TinyPath(name_)), wide, {}, {.float_dtype = DType::kF32});
    WriteCheckpoint(*Checkpoint::Open(wide), dir,
                    [factor](const TensorInfo& info, std::span<std::byte> bytes) {
                      ASSERT_EQ(info.dtype, DType::kF32);
                      at::from_blob(bytes.data(), {info.elements()}, at::kFloat).mul_(factor);
                    });
    return Checkpoint::Open(dir);
  }

  // Every entry of the matrices in scope, or every third.
  Mask Selected(const Model& model, const std::vector<std::string>& names, int64_t every = 1) const {
    std::vector<MaskTensor> tensors;
    for (const std::string& name : names) {
      MaskTensor tensor{name, model.weights->tensors().at(name).sizes().vec(), {}};
      tensor.bits.resize((tensor.size() + 7) / 8);
      for (int64_t i = 0; i < tensor.size(); i += every) {
        tensor.bits[i / 8] |= static_cast<uint8_t>(1 << (i % 8));
      }
      tensors.push_back(std::move(tensor));
    }
    return Mask(std::move(tensors));
  }

  struct Run {
    explicit Run(const std::string& name) : model(LoadTiny(name)) {}
    Model model;
    std::unique_ptr<Trainable> trainable;
    TuneReport report;
    at::Tensor change;  // of the masters
  };

  std::unique_ptr<Run> RunMethod(const MethodOptions& options, LocateOptions locate, const Mask& mask,
                                 TuneHooks hooks = {}, const Checkpoint* before = nullptr,
                                 const Checkpoint* taught = nullptr) const {
    auto run = std::make_unique<Run>(name_);
    const Method& method = FindMethod(options.method);
    if (method.selection) locate = method.selection(run->model, locate);
    run->trainable = std::make_unique<Trainable>(run->model, mask);
    const at::Tensor start = run->trainable->Snapshot();
    run->report = method.run({.model = run->model,
                              .task = task_,
                              .trainable = *run->trainable,
                              .options = options,
                              .locate = locate,
                              .perturb = perturb_,
                              .steps = steps_,
                              .before = before,
                              .taught = taught,
                              .seed = golden_["repselect"]["seed"],
                              .pass_tokens = 64},
                             std::move(hooks));
    run->change = run->trainable->Snapshot() - start;
    return run;
  }

  const Json golden_ = GoldenJson("tune/methods.json");
  const std::string name_ = golden_["model"];
  const InfluenceGolden data_{name_};
  Task task_;
  StepOptions steps_;
  PerturbOptions perturb_;
};

TEST_F(MethodTest, EditsEqualPyTorch) {
  const auto before = Scaled("before", 0.9f), taught = Scaled("taught", 1.1f);
  const Mask mask = Selected(LoadTiny(name_), data_.scored);
  for (const Json& row : golden_["edits"]) {
    MethodOptions options{.method = row["method"]};
    options.dampen = row.value("dampen", 1.0);
    options.strength = row.value("strength", 1.0);
    LocateOptions locate;
    locate.threshold = row.value("threshold", 0.0);
    locate.retain_weight = row.value("retain_weight", 1.0);
    const bool arithmetic = options.method == "task-vector";
    const auto run = RunMethod(options, locate, mask, {},
                               !arithmetic || row.contains("before") ? before.get() : nullptr,
                               row.contains("taught") ? taught.get() : nullptr);
    int64_t begin = 0;
    for (const MaskedParameter& parameter : run->trainable->parameters()) {
      const int64_t count = parameter.master.numel();
      // A weight within rounding of ssd's threshold may fall on the other side of it.
      ExpectFingerprint(run->change.narrow(0, begin, count), row["change"][parameter.name],
                        options.method == "ssd" ? 1e-3 : 1e-4, row.dump().substr(0, 60) + parameter.name);
      begin += count;
    }
    EXPECT_EQ(run->report.steps, 1);
    EXPECT_TRUE(run->report.log.at(0).contains("judged"));
  }
}

// What can be said without a gradient: all of what was learned is taken back; nothing is left of what is
// dampened to nothing; a share of one is the whole way.
TEST_F(MethodTest, EditsByHand) {
  const auto before = Scaled("before", 0.5f);
  const Model untouched = LoadTiny(name_);
  const Mask mask = Selected(untouched, data_.scored, 5);
  const at::Tensor start = Trainable(untouched, mask).Snapshot();
  const auto change_by = [&](const MethodOptions& options, const LocateOptions& locate) {
    return RunMethod(options, locate, mask, {}, before.get())->change;
  };
  EXPECT_TRUE(at::equal(change_by({.method = "task-vector"}, {}), start * -0.5));
  EXPECT_TRUE(at::equal(change_by({.method = "task-vector", .strength = 2}, {}), -start));
  LocateOptions all_forget;
  all_forget.retain_weight = 0;
  EXPECT_TRUE(at::equal(change_by({.method = "perta"}, all_forget), start * -0.5));
  LocateOptions any;
  any.threshold = 1e-30;
  EXPECT_TRUE(at::equal(change_by({.method = "ssd", .dampen = 0}, any), -start));
  any.threshold = 1e30;  // nothing matters so much more
  EXPECT_TRUE(at::equal(change_by({.method = "ssd", .dampen = 0}, any), at::zeros_like(start)));
  any.threshold = 1e-30;  // a factor is never above 1
  EXPECT_TRUE(at::equal(change_by({.method = "ssd", .dampen = 1e30}, any), at::zeros_like(start)));
}

// Statistics at selected entries are those of the dense pass.
TEST_F(MethodTest, SelectedStatisticsAreThoseOfThePass) {
  const Model model = LoadTiny(name_);
  const Mask mask = Selected(model, data_.scored, 3);
  Trainable trainable(model, mask);
  const auto sequences = Pointers(data_.forget);
  for (const char* name : {"mean", "abs", "rms"}) {
    const at::Tensor got =
        SelectedStatistic(model, trainable, sequences, ParseStatistic(name), 64, "");
    int64_t begin = 0;
    const auto dense =
        AccumulateGradients(model, sequences, data_.scored, {.statistic = ParseStatistic(name)});
    for (const ScoreTensor& tensor : dense) {
      const at::Tensor expected =
          tensor.values.cpu().flatten().index_select(0, mask.Indices(tensor.name));
      EXPECT_TRUE(at::allclose(got.narrow(0, begin, expected.numel()).cpu(), expected, 1e-4, 1e-6))
          << name;
      begin += expected.numel();
    }
  }
}

TEST_F(MethodTest, RepSelectsDirectionEqualsPyTorch) {
  const Json& golden = golden_["repselect"];
  MethodOptions options{.method = "repselect"};
  options.rank = golden["rank"];
  options.lora_rank = golden["lora_rank"];
  options.lora_lr = golden["lora_lr"];
  options.lora_epochs = golden["lora_epochs"];
  const Model untouched = LoadTiny(name_);
  const LocateOptions selection = FindMethod("repselect").selection(untouched, {});
  std::vector<std::string> names = selection.scope;
  std::ranges::sort(names);
  EXPECT_EQ(names.size(), 3u * untouched.blocks.size());
  at::Tensor direction;
  const auto run = RunMethod(options, {}, Selected(untouched, names),
                             {.between_steps = [&](const TuneState& state) {
                               if (!direction.defined()) direction = state.m.clone();
                             }});
  int64_t begin = 0;
  for (const MaskedParameter& parameter : run->trainable->parameters()) {
    const int64_t count = parameter.master.numel();
    ExpectFingerprint(direction.narrow(0, begin, count), golden["direction"][parameter.name], 1e-4,
                      parameter.name);
    begin += count;
  }
  // It went along that, as far as the bound lets it.
  const double distance = run->report.log.at(run->report.kept_step - 1)["distance"];
  EXPECT_LT((run->change - direction * distance).abs().max().item<double>(), 1e-5);
  const double divergence = run->report.log.at(run->report.kept_step - 1)["divergence"];
  EXPECT_LE(divergence, 0.01);
  EXPECT_GE(divergence, 0.0095);
}

TEST_F(MethodTest, AdapterLearnsAsPyTorchs) {
  const Json& golden = golden_["repselect"];
  const Model model = LoadTiny(name_), untouched = LoadTiny(name_);
  std::vector<std::string> names;
  for (const auto& [name, print] : golden["a"].items()) names.push_back(name);
  LowRankAdapter adapter(model, names, golden["lora_rank"], golden["seed"]);
  const LossTerm relearn{
      .name = "relearn", .objective = &FindRetainObjective("nll"), .sequences = &data_.forget};
  const std::vector<int64_t> all = {0, 1, 2, 3, 4, 5, 6, 7, 8};
  ASSERT_EQ(all.size(), data_.forget.size());
  int64_t tokens = 0;
  for (const Json& loss : golden["losses"]) {
    EXPECT_NEAR(adapter.Step(relearn, all, golden["lora_lr"], 64, tokens).item<double>(),
                loss.get<double>(), 1e-4);
  }
  for (const auto& [name, factors] : adapter.factors()) {
    ExpectFingerprint(factors.a, golden["a"][name], 1e-4, name);
    ExpectFingerprint(factors.b, golden["b"][name], 1e-4, name);
  }
  adapter.TakeOff();
  for (const auto& [name, tensor] : model.weights->tensors()) {
    EXPECT_TRUE(at::equal(tensor, untouched.weights->tensors().at(name))) << name;
  }
}

TEST_F(MethodTest, ShrinkingEqualsPyTorch) {
  const Json& golden = golden_["shrink"];
  const std::string name = golden["name"];
  const at::Tensor weight = LoadTiny(name_).weights->tensors().at(name);
  at::Tensor values = weight.flatten().clone();
  PerturbShrink({.name = name,
                 .shape = weight.sizes(),
                 .shrink = golden["shrink"],
                 .shrink_noise = golden["shrink_noise"],
                 .seed = golden["seed"]},
                values);
  const auto expected = at::tensor(golden["values"].get<std::vector<double>>(), at::kDouble);
  EXPECT_LT((values.narrow(0, 0, 8).cpu().to(at::kDouble) - expected).abs().max().item<double>(), 1e-7);
}

// The student starts far from its teacher and comes back to it; the teacher is --model.
TEST_F(MethodTest, UndoDistilsWhatTheModelSaid) {
  steps_.steps = 30;
  steps_.lr = 1e-2;
  perturb_.shrink = 0.5;
  perturb_.shrink_noise = 1;
  const auto run = RunMethod({.method = "undo"}, {}, Selected(LoadTiny(name_), data_.scored));
  const double first = run->report.first["distil_loss"], last = run->report.last["distil_loss"];
  EXPECT_GT(first, 0.01);
  EXPECT_LT(last, 0.5 * first);
  EXPECT_EQ(run->report.kept_step, 30);
}

// Of a mask of every third entry, in memory, no other one moves.
TEST_F(MethodTest, NothingOutsideTheMaskIsTouched) {
  const auto before = Scaled("before", 0.9f);
  const Model untouched = LoadTiny(name_);
  std::vector<std::string> mlp = FindMethod("repselect").selection(untouched, {}).scope;
  steps_.steps = 2;
  for (const Method& method : Methods()) {
    if (!method.run) continue;
    SCOPED_TRACE(method.name);
    const Mask mask = Selected(untouched, mlp, 3);
    LocateOptions locate;
    locate.threshold = 0.5;  // ssd dampens many
    const auto run =
        RunMethod({.method = std::string(method.name)}, locate, mask, {}, before.get());
    EXPECT_GT(run->change.ne(0).sum().item<int64_t>(), mask.count() / 10);
    for (const auto& [name, tensor] : run->model.weights->tensors()) {
      const at::Tensor differs =
          tensor.ne(untouched.weights->tensors().at(name)).flatten().cpu();
      EXPECT_EQ(differs.index_fill(0, mask.Indices(name), false).sum().item<int64_t>(), 0) << name;
    }
  }
}

// Stopped between any two of its steps, and after the end.
TEST_F(MethodTest, GoesOnBitForBit) {
  const auto before = Scaled("before", 0.9f);
  const Model untouched = LoadTiny(name_);
  std::vector<std::string> mlp = FindMethod("repselect").selection(untouched, {}).scope;
  const Mask mask = Selected(untouched, mlp, 2);
  steps_.steps = 3;
  for (const Method& method : Methods()) {
    if (!method.run) continue;
    const MethodOptions options{.method = std::string(method.name)};
    const auto dir = EmptyDirectory("method_state");
    int64_t states = 0;
    const auto whole = RunMethod(options, {}, mask,
                                 {.between_steps = [&](const TuneState& state) {
                                   SaveTuneState(dir / std::to_string(states++), state);
                                 }},
                                 before.get());
    EXPECT_GE(states, 1);
    for (int64_t i = 0; i < states; i += TestDevice().is_cpu() ? 1 : 3) {
      SCOPED_TRACE(options.method + " " + std::to_string(i));
      TuneHooks hooks;
      hooks.go_on_from = LoadTuneState(dir / std::to_string(i));
      const auto resumed = RunMethod(options, {}, mask, std::move(hooks), before.get());
      EXPECT_TRUE(at::equal(whole->trainable->Snapshot(), resumed->trainable->Snapshot()));
      EXPECT_EQ(whole->report.kept_step, resumed->report.kept_step);
      EXPECT_EQ(whole->report.log.size(), resumed->report.log.size());
      for (const auto& [name, tensor] : whole->model.weights->tensors()) {
        EXPECT_TRUE(at::equal(tensor, resumed->model.weights->tensors().at(name))) << name;
      }
    }
  }
}

TEST_F(MethodTest, RefusesWhatSaysNothing) {
  const auto message = [](const MethodOptions& options, const LocateOptions& locate = {},
                          bool mask = false) {
    return MessageOf([&] { CheckMethodOptions(options, locate, mask); });
  };
  EXPECT_EQ(message({}), "no error");
  EXPECT_THAT(message({.method = "sdd"}), HasSubstr("did you mean ssd?"));
  EXPECT_THAT(message({.method = "perta"}), HasSubstr("needs --before DIR"));
  EXPECT_THAT(message({.method = "ssd", .before = "x"}), HasSubstr("--before and --taught say nothing"));
  EXPECT_THAT(message({.method = "ssd"}, {.fraction = 0.2}), HasSubstr("chooses its weights itself"));
  EXPECT_THAT(message({}, {.fraction = 0.2}, true), HasSubstr("where --mask names the weights"));
  EXPECT_EQ(message({.method = "ssd"}, {.threshold = 3}), "no error");
  EXPECT_EQ(message({.method = "undo"}, {.fraction = 0.2}), "no error");
  EXPECT_THAT(message({.divergence = 0}), HasSubstr("--divergence is 0"));
  EXPECT_THAT(message({.strength = 0}), HasSubstr("--strength is 0"));
  const auto other = Checkpoint::Open(TinyPath("mistral_window"));
  const Mask mask = Selected(LoadTiny(name_), data_.scored);
  EXPECT_THAT(MessageOf([&] { RunMethod({.method = "task-vector"}, {}, mask, {}, other.get()); }),
              HasSubstr("the model has it as"));
  const Mask norm = Selected(LoadTiny(name_), {"model.norm.weight"});
  EXPECT_THAT(MessageOf([&] { RunMethod({.method = "repselect"}, {}, norm); }),
              HasSubstr("model.norm.weight is none"));
}

}  // namespace
}  // namespace grin
