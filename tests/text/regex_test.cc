#include "grin/text/regex.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <thread>

#include "grin/base/error.h"
#include "grin/text/known_patterns.h"
#include "tests/text/tokenizer_golden.h"

namespace grin {
namespace {

using ::testing::HasSubstr;

std::vector<std::pair<size_t, size_t>> MatchesOf(const Pattern& pattern, std::string_view text) {
  std::vector<std::pair<size_t, size_t>> matches;
  for (const auto& match : pattern.FindAll(text)) matches.emplace_back(match.begin, match.end);
  return matches;
}

std::vector<std::pair<size_t, size_t>> MatchesOf(std::string_view expression,
                                                 std::string_view text) {
  return MatchesOf(Pattern::Expression(expression, "test"), text);
}

std::string ExpressionError(std::string_view expression, std::string_view text = "") {
  try {
    Pattern::Expression(expression, "model.json: pattern").FindAll(text);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

// Where the text is cut when every match and everything between two matches is a piece.
std::vector<size_t> CutsOf(const Pattern& pattern, std::string_view text) {
  std::vector<size_t> cuts;
  size_t last = 0;
  for (const auto& match : pattern.FindAll(text)) {
    if (match.begin > last) cuts.push_back(match.begin);
    if (match.end > match.begin) cuts.push_back(match.end);
    last = match.end;
  }
  if (last < text.size()) cuts.push_back(text.size());
  return cuts;
}

std::vector<std::string> RandomTexts(uint64_t seed, int count) {
  Generator generator(seed);
  std::vector<std::string> texts;
  for (int i = 0; i < count; ++i) texts.push_back(generator.Text());
  return texts;
}

TEST(Regex, MatchesWhatTheReferenceMatches) {
  std::ifstream file(GRIN_TEST_DATA "/tokenizers/expressions.json");
  const Json goldens = Json::parse(file);
  auto texts = goldens["chosen"].get<std::vector<std::string>>();
  for (const std::string& text : RandomTexts(1, goldens["random"])) texts.push_back(text);
  for (const Json& row : goldens["rows"]) {
    const std::string expression = row["expression"];
    if (row.contains("refused")) {
      EXPECT_THROW(Pattern::Expression(expression, "test"), Error) << expression;
      continue;
    }
    const Pattern pattern = Pattern::Expression(expression, "test");
    Digest digest;
    for (const std::string& text : texts) digest.Add(CutsOf(pattern, text));
    EXPECT_EQ(digest.Text(), row["cuts"]) << expression;
  }
}

// The same expression in a group is not letter by letter a known one, so Oniguruma takes it.
TEST(Regex, KnownPatternsMatchTheSameWithBothLibraries) {
  auto texts = RandomTexts(7, 5000);
  texts.insert(texts.end(), {"", "'S'ſ'LL'ſ'K'ᴷ", "\u180e\u200b \u00a0\u0085\u2028\r\n\n \t",
                             "١٢٣٤ⅣⅤ²³½ 1234567", "\U0001f8b2\U00011f00\u1c89\u0363"});
  for (const std::string_view known : {kGpt2Words, kLlama3Words, kQwen2Words}) {
    ASSERT_NE(KnownPatternMatcher(known, "test"), nullptr);
    const std::string grouped = fmt::format("(?:{})", known);
    ASSERT_EQ(KnownPatternMatcher(grouped, "test"), nullptr);
    const Pattern by_pcre = Pattern::Expression(known, "test");
    const Pattern by_oniguruma = Pattern::Expression(grouped, "test");
    for (const std::string& text : texts) {
      ASSERT_EQ(MatchesOf(by_pcre, text), MatchesOf(by_oniguruma, text)) << known << "\n" << text;
    }
  }
}

TEST(Regex, EveryCharacterBelongsToTheSameClassesInBothLibraries) {
  const Pattern by_pcre = Pattern::Expression(kLlama3Words, "test");
  const Pattern by_oniguruma = Pattern::Expression(fmt::format("(?:{})", kLlama3Words), "test");
  for (char32_t c = 0; c < 0x110000; ++c) {
    if (c >= 0xd800 && c < 0xe000) continue;
    std::string text = "a";  // ? letter ? digit ? space ?: the cuts tell the class of c
    AppendUtf8(text, c);
    text += "b";
    AppendUtf8(text, c);
    text += "1 ";
    AppendUtf8(text, c);
    text += "\n";
    ASSERT_EQ(MatchesOf(by_pcre, text), MatchesOf(by_oniguruma, text)) << std::hex << uint32_t{c};
  }
}

TEST(Regex, EmptyMatchesStandAnywhereButBehindAnother) {
  using Matches = std::vector<std::pair<size_t, size_t>>;
  EXPECT_EQ(MatchesOf("a*", "aab"), (Matches{{0, 2}, {3, 3}}));
  EXPECT_EQ(MatchesOf("", "ä"), (Matches{{0, 0}, {2, 2}}));
  EXPECT_EQ(MatchesOf("", ""), (Matches{{0, 0}}));
  EXPECT_EQ(MatchesOf(Pattern::Literal("aa"), "aaaaa"), (Matches{{0, 2}, {2, 4}}));
}

TEST(Regex, ErrorsNameTheFileAndTheExpression) {
  EXPECT_THAT(ExpressionError("(a"), HasSubstr("[text] model.json: pattern: the regular expression '(a' "
                                       "cannot be used: end pattern with unmatched parenthesis"));
  EXPECT_THAT(ExpressionError("\\p{Nonsense}"), HasSubstr("{Nonsense}"));
  EXPECT_THAT(ExpressionError("[a"), HasSubstr("premature end of char-class"));
}

TEST(Regex, TooMuchBacktrackingIsAnError) {
  EXPECT_THAT(ExpressionError("(?:a|aa)+[cd]", std::string(40, 'a') + "b"),
              HasSubstr("failed on a text of 41 bytes: retry-limit-in-match over"));
}

TEST(Regex, ManyThreadsShareOnePattern) {
  const auto texts = RandomTexts(3, 300);
  for (const std::string_view expression : {kLlama3Words, std::string_view("[[:alpha:]]+|.")}) {
    const Pattern pattern = Pattern::Expression(expression, "test");
    std::vector<std::vector<std::pair<size_t, size_t>>> expected;
    for (const std::string& text : texts) expected.push_back(MatchesOf(pattern, text));
    std::vector<int> wrong(4, 0);
    std::vector<std::thread> threads;
    for (int& count : wrong) {
      threads.emplace_back([&] {
        const Pattern own = Pattern::Expression("[[:digit:]]+" + std::string(expression), "test");
        for (size_t i = 0; i < texts.size(); ++i) {
          if (MatchesOf(pattern, texts[i]) != expected[i]) ++count;
          own.FindAll(texts[i]);
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_THAT(wrong, ::testing::Each(0));
  }
}

}  // namespace
}  // namespace grin
