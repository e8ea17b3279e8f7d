// The letter of a choice: scored from where all letters of a question part, and never from nothing.

#include "grin/metric/choice.h"

#include <gmock/gmock.h>

#include <cmath>

#include "tests/data/toy_checkpoint.h"

namespace grin {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

// A BPE of single bytes in the alphabet of byte-level tokenizers, with more tokens and their
// merges.
void WriteTokenizer(const fs::path& dir,
                    const std::vector<std::pair<std::string, std::string>>& merges,
                    const std::string& without = "") {
  Json file = Json::parse(ReadFile(fs::path(GRIN_TEST_DATA) / "tokenizers/byte_level.json"));
  Json vocabulary = Json::object(), pairs = Json::array();
  for (const auto& [token, id] : file["model"]["vocab"].items()) {
    const bool is_short = token.size() <= 2 || token.starts_with("<|");
    if (is_short && without.find(token) == std::string::npos) vocabulary[token] = id;
  }
  int next = 600;
  for (const auto& [left, right] : merges) {
    pairs.push_back({left, right});
    vocabulary[left + right] = next++;
  }
  file["pre_tokenizer"] = {{"type", "ByteLevel"},
                           {"add_prefix_space", false},
                           {"trim_offsets", true},
                           {"use_regex", false}};
  file["model"]["vocab"] = vocabulary;
  file["model"]["merges"] = pairs;
  WriteFile(dir / "tokenizer.json", file.dump());
}

ChoiceQuestion Which() { return {.question = "Which?", .choices = {"this", "that", "both"}}; }

struct Asked {
  fs::path dir;
  Json result;
  std::vector<double> logprobs;
};

Asked Ask(const fs::path& dir, int64_t context = 128) {
  const auto checkpoint = Checkpoint::Open(dir);
  const Model model = LoadModel(checkpoint);
  const Encoder encoder(*checkpoint, model.config, {.template_name = "qa"});
  EvalPlan plan;
  const AskedChoices asked(plan, encoder, context, "", {Which()});
  Asked answer{.dir = dir, .result = asked.Result(plan.Run(model, encoder))};
  for (const Json& logprob : answer.result["value_by_index"]["0"]["logprobs"]) {
    answer.logprobs.push_back(logprob.is_number() ? logprob.get<double>() : std::nan(""));
  }
  return answer;
}

// The log-probability of `text` behind `given`, both as tokens.
double LogProbability(const fs::path& dir, const std::string& given, const std::string& text) {
  const auto checkpoint = Checkpoint::Open(dir);
  const Model model = LoadModel(checkpoint);
  const Tokenizer tokenizer = Tokenizer::Load(dir);
  Sequence sequence;
  sequence.tokens = tokenizer.Encode(given, false).ids;
  for (const int32_t id : tokenizer.Encode(text, false).ids) {
    sequence.labels.push_back(static_cast<int32_t>(sequence.tokens.size()));
    sequence.tokens.push_back(id);
  }
  double sum = 0;
  const auto scores = ScoreSequences(model, {sequence});
  for (const float logp : scores[0].logp) sum += logp;
  return sum;
}

const std::string kQuestion = "Which?\nA. this\nB. that\nC. both\nAnswer";

TEST(Choice, LettersAreScoredBehindThePrompt) {
  const fs::path dir = MakeToy("choice_plain");
  WriteTokenizer(dir, {});
  const Asked asked = Ask(dir);
  ASSERT_EQ(asked.logprobs.size(), 3u);
  for (size_t c = 0; c < 3; ++c) {
    const std::string letter(1, static_cast<char>('A' + c));
    EXPECT_NEAR(asked.logprobs[c], LogProbability(dir, kQuestion + ":", " " + letter), 1e-4);
  }
}

// ": B" is one token: the letters part behind "Answer", and all are scored from there.
TEST(Choice, ALetterThatMeltsIntoThePromptIsScoredWithItsEnd) {
  const fs::path dir = MakeToy("choice_melts");
  WriteTokenizer(dir, {{":", "\u0120"}, {":\u0120", "B"}});
  const Asked asked = Ask(dir);
  ASSERT_EQ(asked.logprobs.size(), 3u);
  for (size_t c = 0; c < 3; ++c) {
    const std::string letter(1, static_cast<char>('A' + c));
    EXPECT_LT(asked.logprobs[c], 0);
    EXPECT_NEAR(asked.logprobs[c], LogProbability(dir, kQuestion, ": " + letter), 1e-4) << letter;
  }
  const auto highest = std::ranges::max_element(asked.logprobs) - asked.logprobs.begin();
  EXPECT_EQ(asked.result["value_by_index"]["0"]["choice"], highest);
}

// The letter melts and leaves tokens behind: what lies there is not the letter's alone.
TEST(Choice, ALetterThatChangesThePromptsTokensIsScoredFromTheChange) {
  const fs::path dir = MakeToy("choice_shifts");
  WriteTokenizer(dir, {{":", "\u0120"}, {"r", ":\u0120"}, {"r", ":"}});
  const Asked asked = Ask(dir);
  for (size_t c = 0; c < 3; ++c) {
    const std::string letter(1, static_cast<char>('A' + c));
    EXPECT_NEAR(asked.logprobs[c],
                LogProbability(dir, kQuestion.substr(0, kQuestion.size() - 1), "r: " + letter),
                1e-4);
  }
}

TEST(Choice, LettersThatCannotBeToldApartAreNotMeasured) {
  const fs::path dir = MakeToy("choice_unknown");
  WriteTokenizer(dir, {}, "BC");  // both are left out by the tokenizer
  const Json result = Ask(dir).result;
  EXPECT_TRUE(result["agg_value"].is_null());
  EXPECT_THAT(result["not_measured"].get<std::string>(),
              HasSubstr("the tokenizer gives the letters B and C the same tokens"));
  EXPECT_TRUE(result["value_by_index"]["0"]["choice"].is_null());
  WriteTokenizer(dir, {}, "B\u0120");
  EXPECT_THAT(Ask(dir).result["not_measured"].get<std::string>(),
              HasSubstr("the tokenizer has no token for the letter B"));
}

// An end token that the tokenizer puts behind every text is no part of a letter.
TEST(Choice, EndTokensOfTheTokenizerAreNotScored) {
  const fs::path dir = MakeToy("choice_closed");
  WriteTokenizer(dir, {});
  const Asked open = Ask(dir);
  Json file = Json::parse(ReadFile(dir / "tokenizer.json"));
  const Json end = {{"id", "<|endoftext|>"}, {"type_id", 0}};
  file["post_processor"] = {
      {"type", "TemplateProcessing"},
      {"single", {{{"Sequence", {{"id", "A"}, {"type_id", 0}}}}, {{"SpecialToken", end}}}},
      {"pair", Json::array()},
      {"special_tokens",
       {{"<|endoftext|>",
         {{"id", "<|endoftext|>"}, {"ids", {0}}, {"tokens", {"<|endoftext|>"}}}}}}};
  WriteFile(dir / "tokenizer.json", file.dump());
  ASSERT_EQ(Tokenizer::Load(dir).Encode("a", true).ids.size(), 2u);
  EXPECT_EQ(Ask(dir).result.dump(), open.result.dump());
}

}  // namespace
}  // namespace grin
