#include "grin/tune/objective.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numbers>

#include "grin/base/atomic_file.h"
#include "grin/base/error.h"
#include "grin/base/json.h"
#include "tests/standin/test_device.h"

namespace grin {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

// Shares of a mean over n sequences or pairs.
std::vector<double> Mean(size_t n) { return std::vector(n, 1.0 / static_cast<double>(n)); }

// Sequences of the given lengths with token weights 0, 0.5, 1, ...; each has a positive weight.
TokenValues RandomValues(uint64_t seed, const std::vector<int64_t>& lengths) {
  at::manual_seed(seed);
  TokenValues values;
  values.offsets = {0};
  for (const int64_t length : lengths) values.offsets.push_back(values.offsets.back() + length);
  const int64_t size = values.offsets.back();
  values.logp = -at::rand({size}) * 6 - 0.02;
  values.reference = values.logp + 0.5 * at::randn({size});
  values.weight = at::randint(0, 4, {size}).to(at::kFloat) / 2;
  for (size_t i = 0; i + 1 < values.offsets.size(); ++i) values.weight[values.offsets[i]] = 1.5;
  values.shares = Mean(lengths.size());
  return values;
}

// The sequences [first, last) of a set.
TokenValues Slice(const TokenValues& values, size_t first, size_t last) {
  const int64_t begin = values.offsets[first];
  const int64_t end = values.offsets[last];
  TokenValues slice{values.logp.slice(0, begin, end),
                    values.reference.slice(0, begin, end),
                    values.weight.slice(0, begin, end),
                    {},
                    {}};
  for (size_t i = first; i <= last; ++i) slice.offsets.push_back(values.offsets[i] - begin);
  slice.shares.assign(last - first, 1.0 / static_cast<double>(values.offsets.size() - 1));
  return slice;
}

// The formulas of the table written with tensor operations, one sequence at a time, for autograd.
at::Tensor SequenceLoss(std::string_view name, const at::Tensor& lp, const at::Tensor& reference,
                        const at::Tensor& w, const ObjectiveSettings& s) {
  const at::Tensor tokens = w.sum();
  const at::Tensor nll = -(w * lp).sum();
  const at::Tensor p = at::exp(lp);
  if (name == "ga" || name == "graddiff") return -nll / tokens;
  if (name == "po" || name == "nll") return nll / tokens;
  if (name == "npo") {
    const double beta = s["beta"];
    return -2 / beta * at::log_sigmoid(beta * (nll + (w * reference).sum()));
  }
  if (name == "simnpo") {
    const double beta = s["beta"];
    return -2 / beta * at::log_sigmoid(beta * (nll / tokens - s["delta"]));
  }
  if (name == "ul") return (w * -at::log(1 - p)).sum() / tokens;
  if (name == "wga") return (w * at::pow(p.detach(), s["beta"]) * lp).sum() / tokens;
  if (name == "satimp") {
    const at::Tensor importance = at::pow(p, s["beta"]) * at::pow(1 - p, s["beta2"]);
    return (w * importance.detach() * lp).sum() / tokens;
  }
  if (name == "jensun") {  // all of the rest on one other token
    const at::Tensor middle = (p + 1) / 2, rest = 1 - p;
    const at::Tensor of_model = p * at::log(p / middle) + rest * at::log(rest / (rest / 2));
    return (w * (of_model - at::log(middle)) / 2).sum() / tokens;
  }
  if (name == "none") return 0 * nll;
  ADD_FAILURE() << "no formula for " << name;
  return nll;
}

// Whether a weight in it passes no gradient on.
bool Detaches(const Objective& objective) {
  return objective.name == "wga" || objective.name == "satimp";
}

// Every objective on log-probabilities of single sequences.
std::vector<Objective> All() {
  std::vector<Objective> all;
  for (const auto& table : {ForgetObjectives(), RetainObjectives()}) {
    for (const Objective& objective : table) {
      const bool on_logp = std::holds_alternative<OnLogp>(objective.kind);
      if (on_logp && !objective.pairs()) all.push_back(objective);
    }
  }
  return all;
}

// What an objective makes of values on the tests' device, on the host.
struct Outcome {
  double loss;
  at::Tensor gradient;
};

Outcome LossOf(const Objective& objective, const TokenValues& values,
               const ObjectiveSettings& settings) {
  TokenValues there = values;
  for (at::Tensor* tensor : {&there.logp, &there.reference, &there.weight}) {
    *tensor = OnTestDevice(*tensor);
  }
  const LossAndGradient result = std::get<OnLogp>(objective.kind).loss(there, settings);
  EXPECT_EQ(result.loss.scalar_type(), at::kDouble);
  EXPECT_EQ(result.loss.device(), TestDevice());
  EXPECT_EQ(result.gradient.device(), TestDevice());
  return {result.loss.item<double>(), result.gradient.cpu()};
}

ObjectiveSettings SettingsOf(const Objective& objective) {
  ObjectiveSettings settings = DefaultSettings(objective);
  if (objective.name == "simnpo") settings.parameters["delta"] = 0.7;
  return settings;
}

TEST(Objective, EqualsItsFormulaAndAutograd) {
  const TokenValues values = RandomValues(1, {5, 1, 17, 3});
  for (const Objective& objective : All()) {
    const ObjectiveSettings settings = SettingsOf(objective);
    const at::Tensor lp = values.logp.to(at::kDouble).requires_grad_();
    at::Tensor loss = at::zeros({}, at::kDouble);
    for (size_t i = 0; i + 1 < values.offsets.size(); ++i) {
      const auto part = [&](const at::Tensor& t) {
        return t.to(at::kDouble).slice(0, values.offsets[i], values.offsets[i + 1]);
      };
      loss = loss + SequenceLoss(objective.name, part(lp), part(values.reference),
                                 part(values.weight), settings) /
                        4;
    }
    loss.backward();
    const Outcome result = LossOf(objective, values, settings);
    EXPECT_NEAR(result.loss, loss.item<double>(), 1e-9) << objective.name;
    EXPECT_EQ(result.gradient.scalar_type(), at::kFloat);
    EXPECT_TRUE(at::allclose(result.gradient.to(at::kDouble), lp.grad(), 1e-6, 1e-9))
        << objective.name;
  }
}

const Objective& Find(std::string_view name) {
  return name == "nll" ? FindRetainObjective(name) : FindForgetObjective(name);
}

TEST(Objective, EqualsPyTorch) {
  const Json golden = Json::parse(ReadFile(GRIN_TEST_DATA "/tune/objectives.json"));
  const auto floats = [](const Json& list) { return at::tensor(list.get<std::vector<float>>()); };
  for (const Json& c : golden["cases"]) {
    TokenValues values{floats(c["logp"]),
                       floats(c["reference"]),
                       floats(c["weight"]),
                       c["offsets"].get<std::vector<int64_t>>(),
                       {}};
    for (const Json& expected : c["losses"]) {
      const std::string name = expected["objective"];
      ObjectiveSettings settings;
      for (const auto& [key, value] : expected.items()) {
        if (value.is_number()) settings.parameters[key] = value;
      }
      const size_t sequences = values.offsets.size() - 1;
      values.shares = Mean(Find(name).pairs() ? sequences / 2 : sequences);
      const Outcome result = LossOf(Find(name), values, settings);
      const double loss = expected["loss"];
      EXPECT_NEAR(result.loss, loss, 1e-9 * (1 + std::abs(loss))) << name << ", " << c["name"];
      EXPECT_TRUE(at::allclose(result.gradient, floats(expected["gradient"]), 1e-6, 1e-12))
          << name << ", " << c["name"];
    }
  }
}

TEST(Objective, GradientIsTheLimitOfDifferences) {
  const TokenValues values = RandomValues(2, {4, 6, 1});
  constexpr double kStep = 1.0 / 128;
  for (const Objective& objective : All()) {
    if (Detaches(objective)) continue;
    const ObjectiveSettings settings = SettingsOf(objective);
    const Outcome result = LossOf(objective, values, settings);
    for (int64_t t = 0; t < values.logp.numel(); ++t) {
      double loss[2];
      for (const int sign : {0, 1}) {
        TokenValues moved = values;
        moved.logp = values.logp.clone();
        moved.logp[t] += sign == 0 ? -kStep : kStep;
        loss[sign] = LossOf(objective, moved, settings).loss;
      }
      const double slope = result.gradient[t].item<double>();
      EXPECT_NEAR((loss[1] - loss[0]) / (2 * kStep), slope, 1e-4 + 2e-2 * std::abs(slope))
          << objective.name << " token " << t;
    }
  }
}

TEST(Objective, PassesOfAStepAddUp) {
  const TokenValues values = RandomValues(3, {3, 8, 2, 5, 1});
  for (const Objective& objective : All()) {
    const ObjectiveSettings settings = SettingsOf(objective);
    const Outcome whole = LossOf(objective, values, settings);
    const Outcome first = LossOf(objective, Slice(values, 0, 2), settings);
    const Outcome second = LossOf(objective, Slice(values, 2, 5), settings);
    EXPECT_NEAR(first.loss + second.loss, whole.loss, 1e-12) << objective.name;
    EXPECT_TRUE(at::equal(at::cat({first.gradient, second.gradient}), whole.gradient));
  }
}

TEST(Objective, IgnoresTokensWithoutWeight) {
  TokenValues values = RandomValues(4, {6, 4});
  values.weight[2] = 0;
  for (const Objective& objective : All()) {
    const ObjectiveSettings settings = SettingsOf(objective);
    const Outcome before = LossOf(objective, values, settings);
    TokenValues changed = values;
    changed.logp = values.logp.clone();
    changed.reference = values.reference.clone();
    changed.logp[2] = -std::numeric_limits<float>::infinity();
    changed.reference[2] = -100;
    const Outcome after = LossOf(objective, changed, settings);
    EXPECT_EQ(before.loss, after.loss) << objective.name;
    EXPECT_TRUE(at::equal(before.gradient, after.gradient)) << objective.name;
    EXPECT_EQ(after.gradient[2].item<float>(), 0) << objective.name;
  }
}

TEST(Npo, StartsAtTwoOverBetaLogTwo) {
  TokenValues values = RandomValues(5, {5, 9});
  values.reference = values.logp.clone();
  const double loss =
      LossOf(FindForgetObjective("npo"), values, {.parameters = {{"beta", 0.1}}}).loss;
  EXPECT_NEAR(loss, 2 / 0.1 * std::numbers::ln2, 1e-9);
}

TEST(Npo, StaysFiniteFarFromTheReference) {
  TokenValues values = RandomValues(6, {3});
  values.weight.fill_(1);
  values.reference = values.logp + 1e6;  // forgotten: nothing is left to do
  Outcome result =
      LossOf(FindForgetObjective("npo"), values, {.parameters = {{"beta", 10}}});
  EXPECT_EQ(result.loss, 0);
  EXPECT_EQ(result.gradient.abs().max().item<float>(), 0);
  values.reference = values.logp - 1e6;  // learnt even better: plain gradient ascent of weight 2
  result = LossOf(FindForgetObjective("npo"), values, {.parameters = {{"beta", 10}}});
  EXPECT_NEAR(result.loss / 6e6, 1, 1e-6);
  EXPECT_TRUE(at::equal(result.gradient, at::full({3}, 2.0f)));
}

TEST(Ul, StaysFiniteAtCertainty) {
  const TokenValues values{
      at::tensor(std::vector<float>{0, 1e-6f, -1e-9f, -5e-7f}), {}, at::ones({4}), {0, 4}, {1}};
  const Outcome result = LossOf(FindForgetObjective("ul"), values, {});
  EXPECT_NEAR(result.loss, -std::log(1e-6), 1e-6);
  EXPECT_TRUE(at::allclose(result.gradient, at::full({4}, 0.25f * 1e6f), 1e-5));
  const TokenValues impossible{
      at::tensor({-std::numeric_limits<float>::infinity()}), {}, at::ones({1}), {0, 1}, {1}};
  EXPECT_EQ(LossOf(FindForgetObjective("ul"), impossible, {}).loss, 0);
}

// Two tokens of weight 1 and 3 in the forgotten answer, one in the preferred one.
TEST(Dpo, ByHand) {
  const TokenValues values{at::tensor({-1.0f, -2.0f, -3.0f}),
                           at::tensor({-0.5f, -1.5f, -5.0f}),
                           at::tensor({1.0f, 3.0f, 1.0f}),
                           {0, 2, 3},
                           {0.5}};
  // NLL - NLL^ref: 7 - 5 = 2 of the forgotten one, 3 - 5 = -2 of the preferred one.
  const Outcome result =
      LossOf(FindForgetObjective("dpo"), values, {.parameters = {{"beta", 0.5}}});
  EXPECT_NEAR(result.loss, 0.5 * 4 * std::log1p(std::exp(-2.0)), 1e-12);
  const float slope = static_cast<float>(0.5 * 2 / (1 + std::exp(2.0)));
  EXPECT_TRUE(at::allclose(result.gradient, at::tensor({slope, 3 * slope, -slope}), 1e-6));
}

TEST(Dpo, EqualsAutogradAndAddsUp) {
  TokenValues values = RandomValues(11, {5, 2, 1, 9, 3, 3});
  values.shares = {0.5, 0.3, 0.2};
  for (const char* name : {"dpo", "altpo"}) {
    const ObjectiveSettings settings{.parameters = {{"beta", 0.7}}};
    const at::Tensor lp = values.logp.to(at::kDouble).requires_grad_();
    at::Tensor loss = at::zeros({}, at::kDouble);
    for (size_t pair = 0; pair < 3; ++pair) {
      at::Tensor ratios[2];
      for (size_t i = 0; i < 2; ++i) {
        const auto part = [&](const at::Tensor& t) {
          return t.to(at::kDouble)
              .slice(0, values.offsets[2 * pair + i], values.offsets[2 * pair + i + 1]);
        };
        ratios[i] = -(part(values.weight) * (part(lp) - part(values.reference))).sum();
      }
      loss = loss - values.shares[pair] * 2 / 0.7 * at::log_sigmoid(0.7 * (ratios[0] - ratios[1]));
    }
    loss.backward();
    const Outcome result = LossOf(FindForgetObjective(name), values, settings);
    EXPECT_NEAR(result.loss, loss.item<double>(), 1e-9);
    EXPECT_TRUE(at::allclose(result.gradient.to(at::kDouble), lp.grad(), 1e-6, 1e-9));
    TokenValues first = Slice(values, 0, 2), rest = Slice(values, 2, 6);
    first.shares = {0.5};
    rest.shares = {0.3, 0.2};
    const Outcome a = LossOf(FindForgetObjective(name), first, settings);
    const Outcome b = LossOf(FindForgetObjective(name), rest, settings);
    EXPECT_NEAR(a.loss + b.loss, result.loss, 1e-12);
    EXPECT_TRUE(at::equal(at::cat({a.gradient, b.gradient}), result.gradient));
  }
}

// Two tokens of probability 1/2 and 1/4, the second of weight 3.
TokenValues TwoTokens() {
  return {at::tensor({std::log(0.5f), std::log(0.25f)}), {}, at::tensor({1.0f, 3.0f}), {0, 2}, {1}};
}

void ExpectByHand(const char* name, const ObjectiveSettings& settings, double first, double second,
                  double first_slope, double second_slope) {
  const Outcome result = LossOf(FindForgetObjective(name), TwoTokens(), settings);
  EXPECT_NEAR(result.loss, (first + 3 * second) / 4, 1e-7) << name;
  EXPECT_NEAR(result.gradient[0].item<double>(), first_slope / 4, 1e-7) << name;
  EXPECT_NEAR(result.gradient[1].item<double>(), 3 * second_slope / 4, 1e-7) << name;
}

TEST(Wga, ByHand) {
  ExpectByHand("wga", {.parameters = {{"beta", 2}}}, -std::numbers::ln2 / 4,
               -2 * std::numbers::ln2 / 16, 0.25, 0.0625);
}

TEST(SatImp, ByHand) {
  ExpectByHand("satimp", {.parameters = {{"beta", 1}, {"beta2", 2}}}, -std::numbers::ln2 / 8,
               -2 * std::numbers::ln2 * 9 / 64, 0.125, 9.0 / 64);
}

// (1/2, 1/2) and (1, 0) have the middle (3/4, 1/4), (1/4, 3/4) and (1, 0) have (5/8, 3/8).
TEST(JensUn, ByHand) {
  const double first = (0.5 * std::log(0.5 / 0.75) + 0.5 * std::log(2.0) - std::log(0.75)) / 2;
  const double second = (0.25 * std::log(0.4) + 0.75 * std::log(2.0) - std::log(0.625)) / 2;
  ExpectByHand("jensun", {}, first, second, 0.25 * std::log(1.0 / 3), 0.125 * std::log(0.2));
}

TEST(Objective, RefusesValuesThatDoNotBelongTogether) {
  const Objective& npo = FindForgetObjective("npo");
  TokenValues values = RandomValues(7, {2, 3});
  values.weight.slice(0, 2, 5).zero_();
  if (TestDevice().is_cpu()) {  // else it is Accumulate that sees it
    EXPECT_THAT([&] { LossOf(npo, values, DefaultSettings(npo)); },
                ThrowsMessage<Error>(HasSubstr("sequence 1 of a pass has no weighted token")));
  }
  values = RandomValues(7, {2, 3});
  values.reference = at::Tensor();
  EXPECT_THAT([&] { LossOf(npo, values, DefaultSettings(npo)); },
              ThrowsMessage<Error>(HasSubstr("no reference")));
  values = RandomValues(7, {2, 3});
  values.offsets.back() = 4;
  EXPECT_THAT([&] { LossOf(npo, values, DefaultSettings(npo)); }, ::testing::Throws<Error>());
}

TEST(Objective, TableSaysWhatEachNeeds) {
  TokenValues values = RandomValues(8, {2, 3});
  values.reference = at::Tensor();
  for (const Objective& objective : All()) {
    if (objective.needs_reference) continue;
    EXPECT_NO_THROW(LossOf(objective, values, DefaultSettings(objective))) << objective.name;
  }
  EXPECT_TRUE(FindForgetObjective("npo").needs_reference);
  EXPECT_EQ(FindForgetObjective("po").answers, Answers::kRefusals);
  EXPECT_TRUE(FindForgetObjective("dpo").pairs());
  EXPECT_EQ(FindForgetObjective("ga").retain_default, "none");
  EXPECT_EQ(FindForgetObjective("graddiff").retain_default, "nll");
  EXPECT_EQ(FindForgetObjective("rmu").retain_default, "activations");
  EXPECT_EQ(DefaultSettings(FindForgetObjective("npo"))["beta"], 0.1);
  EXPECT_EQ(DefaultSettings(FindForgetObjective("simnpo"))["beta"], 4.5);
  EXPECT_THAT([] { FindForgetObjective("nppo"); },
              ThrowsMessage<Error>(AllOf(HasSubstr("did you mean npo?"), HasSubstr("graddiff"))));
  EXPECT_THAT([] { FindRetainObjective("kll"); },
              ThrowsMessage<Error>(HasSubstr("nll, kl, js, activations, none")));
}

}  // namespace
}  // namespace grin
