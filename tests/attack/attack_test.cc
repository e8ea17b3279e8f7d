// Each attack beside what PyTorch finds on the same models (tests/data/make_attack_goldens.py).

#include "grin/attack/attack.h"

#include <gmock/gmock.h>

#include "grin/attack/leak.h"
#include "grin/attack/rounding.h"
#include "tests/attack/attacked_toys.h"

namespace grin {
namespace {

using testing::HasSubstr;

constexpr const char* kToys[] = {"before", "never", "silent"};

// Keyword accuracies are counts of tokens that come first; the script made sure that no choice is
// near, so they are equal and not only close.
std::vector<double> AccuraciesOf(const AttackFigure& figure) {
  std::vector<double> values;
  for (const auto& [record, value] : figure.by_record) values.push_back(value);
  return values;
}

TEST(PlainQuestions, AreAnsweredAsInPyTorch) {
  for (const char* name : kToys) {
    const AttackedToy toy(name, {.max_new_tokens = 24});
    const Json& golden = AttackGolden()["models"][name];
    const auto figures = toy.Run(PlainQuestions());
    EXPECT_EQ(AccuraciesOf(figures.at("plain_keyword_accuracy")),
              golden["accuracy"].get<std::vector<double>>())
        << name;
    EXPECT_EQ(AccuraciesOf(figures.at("plain_retain_keyword_accuracy")),
              golden["retain"].get<std::vector<double>>())
        << name;
    const AttackFigure& said = figures.at("plain_generated_keywords");
    for (const auto& [record, details] : said.record_details) {
      EXPECT_EQ(details["generation"],
                toy.encoder().tokenizer().Decode(
                    golden["generated"][record].get<std::vector<int32_t>>(), true))
          << name << " " << record;
    }
  }
}

TEST(Round, CodesAndValuesAreThoseOfTheOtherPrograms) {
  const SafetensorsFile golden(AttackData("codes.safetensors"));
  const auto bytes = [&](const std::string& name) { return golden.Bytes(golden.Find(name)); };
  std::vector<float> values(bytes("values").size() / sizeof(float));
  std::memcpy(values.data(), bytes("values").data(), bytes("values").size());
  for (const RoundingType& type : RoundingTypes()) {
    std::vector<float> rounded = values;
    std::vector<uint8_t> codes(values.size());
    type.round(rounded, codes);
    const std::string name(type.name);
    EXPECT_EQ(std::memcmp(rounded.data(), bytes(name + ".values").data(), rounded.size() * 4), 0)
        << name;
    EXPECT_EQ(std::memcmp(codes.data(), bytes(name + ".codes").data(), codes.size()), 0) << name;
  }
}

TEST(Round, FiguresAreThoseOfPyTorch) {
  for (const char* name : kToys) {
    const AttackedToy toy(name);
    const auto figures = toy.Run(AttackNamed("round"));
    for (const auto& [type, accuracy] : AttackGolden()["models"][name]["round"].items()) {
      EXPECT_DOUBLE_EQ(figures.at("round_" + type + "_keyword_accuracy").value,
                       accuracy.get<double>())
          << name << " " << type;
      const Json& changes = AttackGolden()["code_changes"][name][type];
      const AttackFigure& figure = figures.at("round_" + type + "_code_changes");
      if (changes.is_null()) {
        EXPECT_THAT(figure.why, HasSubstr("no weight differs"));
      } else {
        EXPECT_DOUBLE_EQ(figure.value, changes.get<double>()) << name << " " << type;
      }
    }
  }
}

TEST(Relearn, CurveIsThatOfPyTorch) {
  const double lr = AttackGolden()["relearn_lr"];
  for (const char* name : kToys) {
    // Every step sees all of the records, so that their order is of no account.
    const AttackedToy toy(name, {.relearn_share = 0.25,
                                 .relearn_budgets = {fmt::format("all=6@{}", lr)},
                                 .relearn_batch_size = 12});
    const AttackFigure figure = toy.Run(AttackNamed("relearn")).at("relearn_keyword_accuracy");
    EXPECT_EQ(figure.details["trained_records"], AttackGolden()["shown"]);
    const auto expected = AttackGolden()["models"][name]["relearn"].get<std::vector<double>>();
    ASSERT_EQ(figure.curve.size(), expected.size());
    for (size_t step = 0; step < expected.size(); ++step) {
      EXPECT_EQ(figure.curve[step].first, static_cast<int64_t>(step));
      EXPECT_NEAR(figure.curve[step].second, expected[step], 1e-12) << name << " step " << step;
    }
  }
}

TEST(Relearn, TrainsOnTextOfTheSameFormAndOnGeneralText) {
  AttackedToy toy("silent", {.relearn_budgets = {"mild=1@1e-4", "hard=2@1e-3"}});
  toy.general() = toy.task().retain_sequences;
  const auto figures = toy.Run(AttackNamed("relearn"));
  EXPECT_EQ(figures.size(), 6u);
  const AttackFigure& form = figures.at("relearn_retain_mild_keyword_accuracy");
  EXPECT_EQ(form.details["trained_on"], "2 retain records");
  EXPECT_EQ(figures.at("relearn_general_keyword_accuracy").details["lr"], 1e-3);
  // What is trained on is never measured.
  const AttackFigure& facts = figures.at("relearn_keyword_accuracy");
  EXPECT_EQ(facts.by_record.size(), 10u);
  for (const Json& record : facts.details["trained_records"]) {
    EXPECT_FALSE(facts.by_record.contains(record.get<int64_t>()));
  }
}

// R by hand: the never-taught model gained .1, this one .4.
TEST(Relearn, RobustnessComparesGains) {
  const auto robustness = AttackNamed("relearn").robustness;
  const AttackFigure model{.value = 0.6, .start = 0.2}, never{.value = 0.15, .start = 0.05};
  EXPECT_NEAR(robustness(model, &never), 0.25, 1e-12);
  const AttackFigure still{.value = 0.2, .start = 0.2};
  EXPECT_EQ(robustness(still, &never), 1);
  const AttackFigure lost{.value = 0.0, .start = 0.1};
  EXPECT_EQ(robustness(model, &lost), 0);
  EXPECT_TRUE(std::isnan(robustness(model, nullptr)));
}

// Q by hand: .8 was forgotten, after rounding .6.
TEST(Round, RobustnessComparesWhatIsForgotten) {
  const auto robustness = AttackNamed("round").robustness;
  EXPECT_NEAR(robustness({.value = 0.4, .start = 0.2}, nullptr), 0.75, 1e-12);
  EXPECT_EQ(robustness({.value = 0.1, .start = 0.2}, nullptr), 1);
  EXPECT_TRUE(std::isnan(robustness({.value = 0.9, .start = 1.0}, nullptr)));
}

TEST(Leak, ChanceIsThatOfWholeNumbers) {
  for (const Json& leak : AttackGolden()["leaks"]) {
    EXPECT_NEAR(LeakWithin(leak[0], leak[1], leak[2]), leak[3].get<double>(), 1e-12) << leak.dump();
  }
  EXPECT_EQ(LeakWithin(64, 0, 64), 0);
  EXPECT_EQ(LeakWithin(64, 1, 64), 1);
  EXPECT_DOUBLE_EQ(LeakWithin(4, 1, 2), 0.5);  // 1 - 3/6
}

TEST(Sample, CountsAreTheSameInAnyBatch) {
  const auto counts = [](int64_t batch) {
    const AttackedToy toy("before", {.samples = 8, .max_new_tokens = 8, .batch_size = batch});
    std::map<int64_t, Json> leaks;
    for (const auto& [name, figure] : toy.Run(AttackNamed("sample"))) {
      if (name == "leak_at_1") leaks = figure.record_details;
      if (name != "leak_at_64") continue;
      EXPECT_THAT(figure.why, HasSubstr("--samples 64"));
    }
    return leaks;
  };
  const auto leaks = counts(1);
  EXPECT_EQ(leaks.size(), 12u);
  EXPECT_EQ(leaks, counts(5));
  EXPECT_EQ(leaks, counts(64));
}

// A model that knows its answers leaks at once, one that never heard of them does not.
TEST(Sample, TellsWhoKnows) {
  const AttackOptions options{.samples = 8, .max_new_tokens = 12};
  const auto known = AttackedToy("before", options).Run(AttackNamed("sample"));
  EXPECT_GT(known.at("leak_at_1").value, 0.3);
  EXPECT_GE(known.at("leak_at_8").value, known.at("leak_at_1").value);
  const auto never = AttackedToy("never", options).Run(AttackNamed("sample"));
  EXPECT_EQ(never.at("leak_at_8").value, 0);
}

TEST(Attack, LeavesEveryWeightAsItWas) {
  for (const Attack& attack : KnownAttacks()) {
    const AttackedToy toy("silent", {.relearn_budgets = {"one=1@1e-2"}, .samples = 1});
    std::map<std::string, at::Tensor> before;
    for (const auto& [name, tensor] : toy.model().weights->tensors()) before[name] = tensor.clone();
    toy.Run(attack);
    for (const auto& [name, tensor] : toy.model().weights->tensors()) {
      EXPECT_TRUE(tensor.equal(before.at(name))) << attack.name << " " << name;
    }
  }
}

TEST(Attack, RefusesSettingsThatCannotWork) {
  const auto refusal = [](const char* attack, const AttackOptions& options) {
    return MessageOf([&] { AttackedToy("never", options).Run(AttackNamed(attack)); });
  };
  EXPECT_THAT(MessageOf([] { AttackNamed("relern"); }), HasSubstr("did you mean relearn"));
  EXPECT_THAT(refusal("relearn", {.relearn_share = 1.0}), HasSubstr("--relearn-share is 1"));
  EXPECT_THAT(refusal("relearn", {.relearn_share = 0.99}), HasSubstr("leaves none to measure"));
  for (const char* budget : {"", "hard", "hard=8", "hard=@1", "hard=8@", "hard=0@1e-3", "=8@1e-3",
                             "Hard=8@1e-3", "hard=8@-1", "hard=8@1e-3x"}) {
    EXPECT_THAT(refusal("relearn", {.relearn_budgets = {budget}}),
                HasSubstr("is not NAME=EPOCHS@RATE"))
        << budget;
  }
  EXPECT_THAT(refusal("relearn", {.relearn_budgets = {"a=1@1", "a=2@1"}}), HasSubstr("called 'a'"));
  EXPECT_THAT(refusal("relearn", {.relearn_budgets = {"retain=1@1"}}), HasSubstr("take another"));
  EXPECT_THAT(refusal("relearn", {.relearn_batch_size = 0}), HasSubstr("--relearn-batch-size"));
  EXPECT_THAT(refusal("round", {.round_types = {"q4_9"}}),
              HasSubstr("number format 'q4_9' is unknown"));
  EXPECT_THAT(refusal("sample", {.samples = 0}), HasSubstr("--samples is 0"));
  EXPECT_THAT(refusal("sample", {.temperature = 0}), HasSubstr("--temperature is 0"));
  EXPECT_THAT(refusal("sample", {.leak_share = 0}), HasSubstr("--leak-share is 0"));
  EXPECT_THAT(refusal("sample", {.sample_limit = -1}), HasSubstr("--sample-limit"));
}

// The figure of a model that breaks must not look like one that has forgotten.
TEST(Relearn, ThatBreaksTheModelIsNotMeasured) {
  const AttackedToy toy("silent", {.relearn_budgets = {"wild=4@1e30"}});
  const AttackFigure figure = toy.Run(AttackNamed("relearn")).at("relearn_keyword_accuracy");
  EXPECT_TRUE(std::isnan(figure.value));
  EXPECT_NE(figure.why, "");
}

}  // namespace
}  // namespace grin
