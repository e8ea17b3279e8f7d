// The TOFU and MUSE suites against OpenUnlearning's own evaluation of the same tiny model and sets
// (tests/data/make_tofu_goldens.py, make_muse_goldens.py).

#include <gmock/gmock.h>

#include <cmath>
#include <sstream>

#include "grin/suite/suite.h"
#include "tests/model/tiny.h"

namespace grin {
namespace {

const std::filesystem::path kFolder = std::filesystem::path(GRIN_TEST_DATA) / "eval/tofu";

struct Evaluated {
  Json results;
  size_t sequences = 0, prompts = 0;
};

Evaluated Evaluate(const SuiteOptions& options, const EngineOptions& engines,
                   const EncodeOptions& encoding, const Json& reference = {},
                   const char* model_name = "model") {
  const auto checkpoint = Checkpoint::Open(kFolder / model_name);
  const Model model = LoadModel(checkpoint);
  const Encoder encoder(*checkpoint, model.config, encoding);
  EvalPlan plan, reference_plan;
  const bool with_reference = !options.reference_model.empty();
  const FinishSuite finish =
      FindSuite(options.suite)
          .plan({.options = options,
                 .encoder = encoder,
                 .context = model.config.context,
                 .reference = reference,
                 .note_input = [](const auto&, int64_t) {},
                 .reference_plan = with_reference ? &reference_plan : nullptr},
                plan);
  Evaluated evaluated{.sequences = plan.sequences(), .prompts = plan.prompts()};
  const EngineResults answers = plan.Run(model, encoder, engines);
  if (with_reference) {
    const Model other = LoadModel(Checkpoint::Open(options.reference_model));
    const EngineResults others = reference_plan.Run(other, encoder, engines);
    evaluated.results = finish(answers, &others);
  } else {
    evaluated.results = finish(answers, nullptr);
  }
  return evaluated;
}

Evaluated Evaluate(const SuiteOptions& options, const EngineOptions& engines = {},
                   const std::string& compat = "open-unlearning", const Json& reference = {}) {
  return Evaluate(options, engines, EncodeOptions{.template_name = "qa", .compat = compat},
                  reference);
}

SuiteOptions Tofu() {
  SuiteOptions options;
  options.data = kFolder.string();
  options.split = "forget01";
  options.holdout = "holdout01";
  return options;
}

// Every number of `theirs` is in `ours`, as near; every text is the same.
void ExpectSame(const Json& ours, const Json& theirs, const std::string& where) {
  if (theirs.is_number()) {
    ASSERT_TRUE(ours.is_number()) << where << ": " << ours;
    EXPECT_NEAR(ours.get<double>(), theirs.get<double>(), 1e-4) << where;
  } else if (theirs.is_string()) {
    EXPECT_EQ(ours, theirs) << where;
  } else if (theirs.is_object() || theirs.is_array()) {
    for (const auto& [key, value] : theirs.items()) {
      const bool there = theirs.is_array() ? std::stoul(key) < ours.size() : ours.contains(key);
      ASSERT_TRUE(there) << where << "." << key;
      ExpectSame(theirs.is_array() ? ours.at(std::stoul(key)) : ours.at(key), value,
                 where + "." + key);
    }
  }
}

void ExpectAllOfTofu(const Json& ours, const Json& theirs) {
  int compared = 0;
  for (const auto& [name, result] : theirs.items()) {
    if (name == "forget_quality") continue;  // no reference there: null
    ASSERT_TRUE(ours.contains(name)) << name;
    ExpectSame(ours[name], result, name);
    ++compared;
  }
  EXPECT_GE(compared, 26);
  for (const char* attack : {"loss", "zlib", "min_k", "min_k_plus_plus", "gradnorm", "reference"}) {
    EXPECT_TRUE(theirs.contains(std::string("mia_") + attack)) << attack;
  }
}

SuiteOptions TofuWithReferenceModel() {
  SuiteOptions options = Tofu();
  options.reference_model = (kFolder / "reference_model").string();
  return options;
}

TEST(TofuSuite, EqualsOpenUnlearning) {
  ExpectAllOfTofu(Evaluate(TofuWithReferenceModel()).results,
                  GoldenJson("eval/tofu/open_unlearning.json"));
}

// Turns are closed by the end token, which is the padding as well: it is hidden in prompts. The
// model asks for a penalty on repetition.
TEST(TofuSuite, EqualsOpenUnlearningInAChat) {
  const EncodeOptions encoding{.template_name = "chat",
                               .system_prompt = "You are a helpful assistant.",
                               .template_variables = "date_string=10 Apr 2025",
                               .compat = "open-unlearning"};
  ExpectAllOfTofu(Evaluate(TofuWithReferenceModel(), {}, encoding, {}, "chat_model").results,
                  GoldenJson("eval/tofu/open_unlearning_chat.json"));
}

TEST(MuseSuite, EqualsOpenUnlearning) {
  const Json theirs = GoldenJson("eval/muse/open_unlearning.json");
  SuiteOptions options;
  options.suite = "muse";
  options.data = std::string(GRIN_TEST_DATA) + "/eval/muse";
  const Json ours = Evaluate(options).results;
  for (const auto& [name, result] : theirs.items()) {
    ASSERT_TRUE(ours.contains(name)) << name;
    ExpectSame(ours[name], result, name);
  }
  EXPECT_GE(theirs.size(), 7u);
}

TEST(TofuSuite, DoesNotDependOnTheBatch) {
  const Json whole = Evaluate(Tofu()).results;
  for (const int64_t batch : {1, 7, 64}) {
    const Json other = Evaluate(Tofu(), {.pass_tokens = batch * 40, .batch_size = batch}).results;
    ExpectSame(other, whole, std::to_string(batch));
  }
}

TEST(TofuSuite, AsksForEachSequenceOnce) {
  const Evaluated all = Evaluate(Tofu());
  // 6 forget and 6 retain with 1 + 1 + 3 answers, 4 and 4 with 1 + 3, 7 held out; none occurs twice
  // but the retain questions that are held out, too, if any.
  EXPECT_LE(all.sequences, 6u * 5 * 2 + 4u * 4 * 2 + 7);
  EXPECT_EQ(all.prompts, 6u + 6 + 4 + 4);
}

TEST(TofuSuite, MetricsLimitsWhatIsAsked) {
  SuiteOptions options = Tofu();
  options.metrics = {"forget_quality"};
  const Evaluated few = Evaluate(options);
  EXPECT_EQ(few.prompts, 0u);
  EXPECT_LE(few.sequences, 6u * 5);
  EXPECT_TRUE(few.results.contains("forget_truth_ratio"));
  EXPECT_FALSE(few.results.contains("model_utility"));
  options.metrics = {"forget_qualty"};
  EXPECT_THAT(MessageOf([&] { Evaluate(options); }),
              ::testing::HasSubstr("did you mean forget_quality?"));
}

TEST(TofuSuite, ForgetQualityComparesWithTheReference) {
  const Json own = Evaluate(Tofu()).results;
  EXPECT_TRUE(own["forget_quality"]["agg_value"].is_null());
  EXPECT_THAT(own["forget_quality"]["not_measured"], ::testing::HasSubstr("--reference"));
  const Json same = Evaluate(Tofu(), {}, "open-unlearning", own).results;
  EXPECT_EQ(same["forget_quality"]["agg_value"], 1);
  EXPECT_EQ(same["forget_quality"]["statistic"], 0);
  Json far = own;
  for (auto& [index, value] : far["forget_truth_ratio"]["value_by_index"].items()) {
    value["score"] = value["score"].get<double>() + 1000;
  }
  const Json other = Evaluate(Tofu(), {}, "open-unlearning", far).results;
  EXPECT_EQ(other["forget_quality"]["statistic"], 1);
  EXPECT_NEAR(other["forget_quality"]["agg_value"].get<double>(), 2.0 / 924, 1e-12);  // 12 over 6
}

TEST(TofuSuite, AReferenceWithoutUsableTruthRatiosIsRefusedBeforeTheEnginesRun) {
  const Json own = Evaluate(Tofu()).results;
  // Values that are no numbers, as a file has them for NaN, are left out.
  Json some = own;
  some["forget_truth_ratio"]["value_by_index"]["0"]["score"] = nullptr;
  const Json compared = Evaluate(Tofu(), {}, "open-unlearning", some).results["forget_quality"];
  EXPECT_LE(compared["statistic"].get<double>(), 1.0 / 6 + 1e-12);  // 5 of the same 6
  EXPECT_FALSE(compared.contains("note"));                          // the questions are the same

  Json none = own;
  for (auto& [index, value] : none["forget_truth_ratio"]["value_by_index"].items()) {
    value["score"] = nullptr;
  }
  SuiteOptions options = Tofu();
  options.reference = "retain.json";
  EXPECT_THAT(MessageOf([&] { Evaluate(options, {}, "open-unlearning", none); }),
              ::testing::HasSubstr("retain.json: holds no truth ratio"));
  const Json other = {{"wmdp_bio", {{"agg_value", 0.5}}}};
  EXPECT_THAT(MessageOf([&] { Evaluate(options, {}, "open-unlearning", other); }),
              ::testing::HasSubstr("has no forget_truth_ratio"));
  // What serves PrivLeak is of use without them.
  const Json private_only = {{"mia_min_k", {{"agg_value", 0.5}}}};
  const Json results = Evaluate(options, {}, "open-unlearning", private_only).results;
  EXPECT_THAT(results["forget_quality"]["not_measured"],
              ::testing::HasSubstr("the reference has no forget_truth_ratio"));
  EXPECT_TRUE(results["privleak"]["agg_value"].is_number());
}

TEST(TofuSuite, SaysWhenTheReferenceIsOfOtherQuestions) {
  const Json own = Evaluate(Tofu()).results;
  Json fewer = own;
  fewer["forget_truth_ratio"]["value_by_index"].erase("5");
  EXPECT_EQ(
      Evaluate(Tofu(), {}, "open-unlearning", fewer).results["forget_quality"]["note"],
      "compared with 5 other questions: the reference has 5 questions, this run 6, of the same "
      "index 5");
  Json split = own;
  split["grin"] = {{"suite", "tofu"}, {"split", "forget05"}};
  const Json noted = Evaluate(Tofu(), {}, "open-unlearning", split).results["forget_quality"];
  EXPECT_EQ(noted["note"],
            "compared with 6 other questions: the reference is of split forget05, this run of "
            "forget01");
  EXPECT_EQ(noted["agg_value"], 1);  // it is compared nevertheless
  split["grin"]["split"] = "forget01";
  split["grin"]["inputs"].push_back({{"path", "x"}, {"fingerprint", "0000000000000000"}});
  EXPECT_THAT(Evaluate(Tofu(), {}, "open-unlearning", split).results["forget_quality"]["note"],
              ::testing::HasSubstr("files of different content"));
}

TEST(TofuSuite, WithoutCompatExtractionStrengthReachesZero) {
  const Json results = Evaluate(Tofu(), {}, "").results;
  double least = 1;
  for (const auto& [index, value] : results["extraction_strength"]["value_by_index"].items()) {
    least = std::min(least, value["score"].get<double>());
  }
  EXPECT_EQ(least, 0);
  const Json published = Evaluate(Tofu()).results;
  for (const auto& [index, value] : published["extraction_strength"]["value_by_index"].items()) {
    EXPECT_GT(value["score"].get<double>(), 0);
  }
}

TEST(EvalPlan, FinishedAnswersAreNotComputedAgain) {
  const auto cache = EmptyDirectory("eval_cache") / "r.json.partial";
  const EngineOptions engines{.cache = cache, .cache_key = "model 1"};
  const Json first = Evaluate(Tofu(), engines, "").results;
  // The file now says something else about one sequence: only a run that believes it shows that.
  std::string text = ReadFile(cache);
  const size_t at = text.find("\"logp\":[");
  ASSERT_NE(at, std::string::npos);
  text.insert(at + 8, "-9999.0,");
  WriteFile(cache, text + "{\"k\": \"cut o");
  EXPECT_NE(Evaluate(Tofu(), engines, "").results, first);
  // Another model does not.
  EXPECT_EQ(Evaluate(Tofu(), {.cache = cache, .cache_key = "model 2"}, "").results, first);
}

TEST(EvalPlan, ANaNThatWasWrittenAsNullIsReadAsNaN) {
  const auto cache = EmptyDirectory("eval_cache_nan") / "r.json.partial";
  const EngineOptions engines{.cache = cache, .cache_key = "model"};
  Evaluate(Tofu(), engines, "");
  std::istringstream lines(ReadFile(cache));
  std::string line, text;
  while (std::getline(lines, line)) {
    Json entry = Json::parse(line, nullptr, false);
    if (entry.contains("v") && entry["v"].is_object()) entry["v"]["logp"][0] = nullptr;
    if (entry.contains("v") && entry["v"].is_number()) entry["v"] = nullptr;  // a gradient's norm
    text += entry.dump() + "\n";
  }
  WriteFile(cache, text);
  const Json results = Evaluate(Tofu(), engines, "").results;
  EXPECT_EQ(results["forget_Q_A_Prob"].value("not_measured", ""),
            "6 of 6 records have no finite log-probability");
  EXPECT_TRUE(results["mia_gradnorm"]["agg_value"].is_null());
}

}  // namespace
}  // namespace grin
