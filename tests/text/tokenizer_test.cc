#include "grin/text/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "grin/base/atomic_file.h"
#include "grin/base/error.h"
#include "grin/base/random.h"
#include "tests/text/tokenizer_golden.h"

namespace grin {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;


// A character model over a, b, c and a few merges, to be changed by each test.
Json SmallBpe() {
  return Json::parse(R"({
    "version": "1.0", "added_tokens": [], "normalizer": null, "pre_tokenizer": null,
    "post_processor": null, "decoder": null,
    "model": {"type": "BPE", "dropout": null, "unk_token": null, "fuse_unk": false,
              "vocab": {"a": 0, "b": 1, "c": 2, "ab": 3, "abc": 4, "bc": 5, "?": 6},
              "merges": ["b c", "a b", "a bc"]}})");
}

std::vector<int32_t> Ids(const Json& description, std::string_view text) {
  return Tokenizer::FromJson(description, "test.json").Encode(text, true).ids;
}

std::string DescriptionError(const Json& description) {
  try {
    Tokenizer::FromJson(description, "test.json");
  } catch (const Error& error) {
    EXPECT_EQ(error.error_class(), ErrorClass::kBadInput);
    EXPECT_EQ(std::string_view(error.what()).find('\n'), std::string_view::npos);
    return error.what();
  }
  return "";
}

TEST(Tokenizer, MergesInOrderOfRankThenPlace) {
  EXPECT_THAT(Ids(SmallBpe(), "abc"), ElementsAre(4));
  EXPECT_THAT(Ids(SmallBpe(), "abab"), ElementsAre(3, 3));
  EXPECT_THAT(Ids(SmallBpe(), "aabcb"), ElementsAre(0, 4, 1));
}

TEST(Tokenizer, LongAndShortWordsMergeAlike) {
  const RandomStream random(1, "word");
  for (uint64_t trial = 0; trial < 50; ++trial) {
    std::string word;
    for (uint64_t i = 0; i < 40; ++i) word += "abc"[random.Below(trial * 64 + i, 3)];
    // A long word whose tail cannot merge with the rest has the short word's ids at its start.
    std::vector<int32_t> expected = Ids(SmallBpe(), word);
    std::vector<int32_t> whole = Ids(SmallBpe(), word + std::string(61, '?'));
    whole.resize(expected.size());
    EXPECT_EQ(whole, expected) << word;
  }
}

TEST(Tokenizer, VeryLongWordIsFast) {  // quadratic time would take minutes
  EXPECT_EQ(Ids(SmallBpe(), std::string(400000, 'b')).size(), 400000u);
  std::string text;
  for (int i = 0; i < 200000; ++i) text += "abc";
  EXPECT_EQ(Ids(SmallBpe(), text).size(), 200000u);
}

TEST(Tokenizer, UnknownCharacters) {
  Json json = SmallBpe();
  EXPECT_THAT(Ids(json, "axb"), ElementsAre(3));  // dropped, so that its neighbours merge
  json["model"]["unk_token"] = "?";
  EXPECT_THAT(Ids(json, "axxb"), ElementsAre(0, 6, 6, 1));
  json["model"]["fuse_unk"] = true;
  const Encoding encoding = Tokenizer::FromJson(json, "t").Encode("aéxb", true);
  EXPECT_THAT(encoding.ids, ElementsAre(0, 6, 1));
  EXPECT_THAT(encoding.spans, ElementsAre(Pair(0, 1), Pair(1, 4), Pair(4, 5)));
  json["model"]["unk_token"] = "<none>";
  EXPECT_THAT(Ids(json, "ab"), ElementsAre(3));
  EXPECT_THROW(Ids(json, "x"), Error);
}

TEST(Tokenizer, MergesAsPairs) {
  Json json = SmallBpe();
  json["model"]["merges"] = Json::parse(R"([["b","c"],["a","b"],["a","bc"]])");
  EXPECT_THAT(Ids(json, "abcab"), ElementsAre(4, 3));
}

TEST(Tokenizer, AddedTokensTakeTheSpaceTheyAreTold) {
  Json json = SmallBpe();
  json["added_tokens"] = Json::parse(R"([
    {"id": 7, "content": "<m>", "lstrip": true, "rstrip": true, "normalized": false, "special": true},
    {"id": 8, "content": "cab", "single_word": true, "normalized": false, "special": false}])");
  const Tokenizer tokenizer = Tokenizer::FromJson(json, "t");
  const Encoding encoding = tokenizer.Encode("a \t<m> b", true);
  EXPECT_THAT(encoding.ids, ElementsAre(0, 7, 1));
  EXPECT_THAT(encoding.spans, ElementsAre(Pair(0, 1), Pair(1, 7), Pair(7, 8)));
  EXPECT_THAT(tokenizer.Encode("cab", true).ids, ElementsAre(8));
  EXPECT_THAT(tokenizer.Encode("cabcab", true).ids, ElementsAre(2, 4, 3));
  EXPECT_EQ(tokenizer.size(), 9);
  EXPECT_TRUE(tokenizer.IsSpecial(7));
  EXPECT_FALSE(tokenizer.IsSpecial(8));
  EXPECT_EQ(tokenizer.IdOf("<m>"), 7);
  EXPECT_EQ(tokenizer.IdOf("nothing"), std::nullopt);
  EXPECT_EQ(tokenizer.TokenOf(4), "abc");
  EXPECT_EQ(tokenizer.TokenOf(-1), "");
  EXPECT_EQ(tokenizer.TokenOf(99), "");
  EXPECT_EQ(tokenizer.Decode(std::vector<int32_t>{0, 7, 99, -5, 1}, true), "a b");
}

TEST(Tokenizer, LongestAddedTokenWins) {
  Json json = SmallBpe();
  json["added_tokens"] = Json::parse(R"([
    {"id": 7, "content": "<m>", "normalized": false, "special": true},
    {"id": 8, "content": "<m><m>", "normalized": false, "special": true}])");
  EXPECT_THAT(Ids(json, "<m><m><m>"), ElementsAre(8, 7));
}

TEST(Tokenizer, TruncationAndPaddingAreNotApplied) {
  Json json = SmallBpe();
  json["truncation"] = Json::parse(R"({"max_length": 1, "direction": "Right"})");
  json["padding"] = Json::parse(R"({"strategy": {"Fixed": 9}, "pad_id": 6})");
  EXPECT_THAT(Ids(json, "abcabc"), ElementsAre(4, 4));
}

TEST(Tokenizer, InvalidUtf8NamesTheByte) {
  const Tokenizer tokenizer = Tokenizer::FromJson(SmallBpe(), "t");
  try {
    tokenizer.Encode("ab\xc3(", true);
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("byte 2 of 4 (0xc3)"));
    EXPECT_EQ(error.exit_code(), 3);
  }
  EXPECT_THROW(tokenizer.Encode("\xed\xa0\x80", true), Error);      // a surrogate
  EXPECT_THROW(tokenizer.Encode("\xf4\x90\x80\x80", true), Error);  // beyond U+10FFFF
  EXPECT_THROW(tokenizer.Encode("\xc0\xaf", true), Error);          // overlong
}

TEST(Tokenizer, ErrorsNameThePlace) {
  const auto with = [](const char* pointer, Json value) {
    Json json = SmallBpe();
    json[Json::json_pointer(pointer)] = std::move(value);
    return DescriptionError(json);
  };
  EXPECT_THAT(with("/model/type", "Unigram"), HasSubstr("model: 'vocab' is missing or not an array"));
  EXPECT_THAT(with("/model/type", "WordLevel"), HasSubstr("known are BPE, Unigram, WordPiece"));
  EXPECT_THAT(with("/model/dropout", 0.1), HasSubstr("model.dropout is 0.1"));
  EXPECT_THAT(with("/model/vocab/d", 0), HasSubstr("tokens 'a' and 'd' have the same id 0"));
  EXPECT_THAT(with("/model/vocab/d", -1), HasSubstr("'d' has id -1"));
  EXPECT_THAT(with("/model/vocab/d", 9000000000), HasSubstr("'d' has id 9000000000"));
  EXPECT_THAT(with("/model/vocab/d", "x"), HasSubstr("model.vocab['d']"));
  EXPECT_THAT(with("/model/vocab", nullptr), HasSubstr("'vocab' is missing"));
  EXPECT_THAT(with("/model/merges", nullptr), HasSubstr("'merges' is missing"));
  EXPECT_THAT(with("/model/merges/1", "a x"), HasSubstr("needs the token 'x'"));
  EXPECT_THAT(with("/model/merges/1", "c c"), HasSubstr("needs the token 'cc'"));
  EXPECT_THAT(with("/model/merges/1", "abc"), HasSubstr("merge 1 is 'abc'"));
  EXPECT_THAT(with("/model/merges/1", 5), HasSubstr("merge 1"));
  EXPECT_THAT(with("/normalizer", Json{{"type", "Sideways"}}),
              HasSubstr("normalizer has the type 'Sideways', which is not supported; known are "));
  EXPECT_THAT(with("/normalizer", Json{{"type", "Precompiled"}}),
              HasSubstr("'precompiled_charsmap' is missing"));
  EXPECT_THAT(
      with("/normalizer", Json{{"type", "Precompiled"}, {"precompiled_charsmap", "AA*A"}}),
      HasSubstr("normalizer.precompiled_charsmap is not base64"));
  EXPECT_THAT(
      with("/normalizer", Json{{"type", "Precompiled"}, {"precompiled_charsmap", "CAAAAAAAAAA="}}),
      HasSubstr("a map of 8 bytes says that its trie has 8"));
  EXPECT_THAT(with("/pre_tokenizer", Json{{"type", "Nonsense"}}), HasSubstr("ByteLevel"));
  EXPECT_THAT(with("/decoder", Json{{"type", "CTC"}}), HasSubstr("'CTC'"));
  EXPECT_THAT(with("/post_processor", Json{{"type", "X"}}), HasSubstr("TemplateProcessing"));
  EXPECT_THAT(with("/added_tokens", Json{{"a", 1}}), HasSubstr("expected an array"));
  EXPECT_THAT(with("/added_tokens", Json::array({Json{{"id", 7}}})),
              HasSubstr("added_tokens[0]: 'content' is missing"));
  EXPECT_THAT(with("/pre_tokenizer", Json::parse(R"({"type": "Split", "behavior": "Isolated",
                   "pattern": {"Regex": "(a"}})")),
              HasSubstr("end pattern with unmatched parenthesis"));
  EXPECT_THAT(with("/pre_tokenizer", Json::parse(R"({"type": "Split", "behavior": "Sideways",
                   "pattern": {"String": "a"}})")),
              HasSubstr("Sideways"));
}

TEST(Tokenizer, FilesThatAreNotTokenizers) {
  EXPECT_THROW(Tokenizer::FromText("", "t"), Error);
  EXPECT_THROW(Tokenizer::FromText("[1, 2]", "t"), Error);
  EXPECT_THROW(Tokenizer::FromText("{\"model\": {\"vocab\": {\"a\": 1", "t"), Error);
  EXPECT_THROW(Tokenizer::FromText("{\"model\": \"\xff\"}", "t"), Error);
  EXPECT_THROW(Tokenizer::FromText(std::string(100000, '['), "t"), Error);
  EXPECT_THROW(Tokenizer::Load(kTokenizerFiles / "missing.json"), Error);
  EXPECT_THROW(Tokenizer::Load(GRIN_SOURCE_DIR), Error);
}

TEST(Tokenizer, ManyThreadsGiveOneAnswer) {
  const Tokenizer tokenizer = Tokenizer::Load(kTokenizerFiles / "llama3_like.json");
  const Tokenizer other = Tokenizer::Load(kTokenizerFiles / "byte_level.json");
  const std::string text =
      ReadFile(std::filesystem::path(GRIN_SOURCE_DIR) / "grin/text/tokenizer.h");
  const std::vector<int32_t> expected = tokenizer.Encode(text, true).ids;
  std::vector<std::thread> threads;
  std::vector<int> equal(4);
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      for (int round = 0; round < 5; ++round) {
        other.Encode(text, true);  // shares the thread's cache
        equal[i] += tokenizer.Encode(text, true).ids == expected;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(equal, ElementsAre(5, 5, 5, 5));
}

// A damaged file is refused with an Error or works; nothing else happens.
TEST(Tokenizer, SurvivesDamagedFiles) {
  for (const char* name : {"llama3_like.json", "sentencepiece_like.json", "words.json"}) {
    const std::string whole = ReadFile(kTokenizerFiles / name);
    const RandomStream random(7, name);
    uint64_t next = 0;
    for (int trial = 0; trial < 150; ++trial) {
      std::string damaged = whole;
      for (uint64_t edits = 1 + random.Below(next++, 3); edits > 0; --edits) {
        // Most of the file is vocabulary: damage the settings at either end more often.
        const uint64_t window = random.Below(next++, 2) ? damaged.size() : 2000;
        const size_t at = random.Below(next++, std::min<uint64_t>(window, damaged.size()));
        switch (random.Below(next++, 4)) {
          case 0:
            damaged[at] = static_cast<char>(random.Below(next++, 256));
            break;
          case 1:
            damaged.erase(at, 1 + random.Below(next++, 30));
            break;
          case 2:
            damaged.insert(at, damaged.substr(random.Below(next++, damaged.size()), 20));
            break;
          default:
            damaged[at] = "0123456789{}[]\",:-"[random.Below(next++, 18)];
            break;
        }
      }
      try {
        const Tokenizer tokenizer = Tokenizer::FromText(damaged, "damaged.json");
        const Encoding encoding = tokenizer.Encode("The mask 12 é \xe2\x96\x81<s> Forget\n", true);
        EXPECT_EQ(encoding.ids.size(), encoding.spans.size());
        tokenizer.Decode(encoding.ids, true);
      } catch (const Error& error) {
        EXPECT_EQ(error.error_class(), ErrorClass::kBadInput) << error.what();
      }
    }
  }
}

}  // namespace
}  // namespace grin
