// WordPiece ids, spans and decoded text equal those of `tokenizers` and `transformers`, by
// tests/data/make_wordpiece_goldens.py.

#include "grin/text/word_piece.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "grin/base/atomic_file.h"
#include "grin/base/error.h"
#include "grin/text/tokenizer.h"

namespace grin {
namespace {

namespace fs = std::filesystem;

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

const fs::path kWordPieceFiles = fs::path(GRIN_TEST_DATA) / "wordpiece";

TEST(WordPiece, EqualsThePackages) {
  const Json goldens = Json::parse(ReadFile(kWordPieceFiles / "goldens.json"));
  ASSERT_EQ(goldens.size(), 5u);
  for (const auto& [name, golden] : goldens.items()) {
    SCOPED_TRACE(name);
    const Tokenizer tokenizer = Tokenizer::Load(kWordPieceFiles / name);
    for (const Json& expected : golden["texts"]) {
      const std::string text = expected["text"];
      const Encoding encoding = tokenizer.Encode(text, true);
      EXPECT_EQ(Json(encoding.ids), expected["ids"]) << text;
      EXPECT_EQ(Json(encoding.spans), expected["spans"]) << text;
      EXPECT_EQ(Json(tokenizer.Encode(text, false).ids), expected["plain"]) << text;
    }
    for (const Json& expected : golden["decodings"]) {
      const auto ids = expected["ids"].get<std::vector<int32_t>>();
      EXPECT_EQ(tokenizer.Decode(ids, false), expected["text"].get<std::string>());
      EXPECT_EQ(tokenizer.Decode(ids, true), expected["skipped"].get<std::string>());
    }
  }
}

Json SmallWordPiece() {
  return Json::parse(R"({
    "added_tokens": [], "normalizer": null, "pre_tokenizer": {"type": "WhitespaceSplit"},
    "post_processor": null, "decoder": {"type": "WordPiece"},
    "model": {"type": "WordPiece", "unk_token": "?", "max_input_chars_per_word": 8,
              "continuing_subword_prefix": "##",
              "vocab": {"?": 0, "un": 1, "##aff": 2, "##able": 3, "##a": 4, "a": 5, "##é": 6,
                        "unaf": 7, "##": 8}}})");
}

Encoding Encode(const Json& description, std::string_view text) {
  return Tokenizer::FromJson(description, "test.json").Encode(text, true);
}

TEST(WordPiece, LongestFirstAndWholeWordsOnly) {
  EXPECT_THAT(Encode(SmallWordPiece(), "unaffa").ids, ElementsAre(0));  // unaf, then nothing begins "fa"
  EXPECT_THAT(Encode(SmallWordPiece(), "unaéa a").ids, ElementsAre(1, 4, 6, 4, 5));
  EXPECT_THAT(Encode(SmallWordPiece(), "unaéa").spans,
              ElementsAre(Pair(0, 2), Pair(2, 3), Pair(3, 5), Pair(5, 6)));
  EXPECT_THAT(Encode(SmallWordPiece(), "aaaaaaaa").ids.size(), 8u);
  EXPECT_THAT(Encode(SmallWordPiece(), "aaaaaaaaa a").ids, ElementsAre(0, 5));  // nine characters
  EXPECT_THAT(Encode(SmallWordPiece(), "aééééééé").ids.size(), 8u);  // characters count, not bytes
}

TEST(WordPiece, NamesTheUnknownTokenThatIsMissing) {
  Json json = SmallWordPiece();
  json["model"]["unk_token"] = "[NONE]";
  try {
    Encode(json, "a xyz");
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.error_class(), ErrorClass::kBadInput);
    EXPECT_THAT(error.what(), AllOf(HasSubstr("'xyz'"), HasSubstr("'[NONE]'")));
  }
}

// A directory with a vocab.txt and a tokenizer_config.json of that content.
std::string LoadError(const std::string& vocabulary, const std::string& config) {
  const fs::path dir = fs::path(testing::TempDir()) / "grin_bert_tokenizer";
  fs::remove_all(dir);
  fs::create_directories(dir);
  WriteFile(dir / "vocab.txt", vocabulary);
  WriteFile(dir / "tokenizer_config.json", config);
  try {
    Tokenizer::Load(dir);
  } catch (const Error& error) {
    EXPECT_EQ(error.error_class(), ErrorClass::kBadInput);
    return error.what();
  }
  return "no error";
}

TEST(BertTokenizer, RefusesWhatItCannotReadAsBertDoes) {
  const std::string frame = "[UNK]\n[CLS]\n[SEP]\n";
  EXPECT_EQ(LoadError(frame, "{}"), "no error");
  EXPECT_THAT(LoadError(frame, R"({"tokenizer_class": "BertJapaneseTokenizer"})"),
              AllOf(HasSubstr("BertJapaneseTokenizer"), HasSubstr("DistilBertTokenizer")));
  EXPECT_THAT(LoadError("[UNK]\n[CLS]\n", "{}"),
              AllOf(HasSubstr("vocab.txt: has no token '[SEP]'"), HasSubstr("sep_token")));
  EXPECT_THAT(LoadError(frame + "\xff\n", "{}"), HasSubstr("not UTF-8 at byte 18"));
  EXPECT_THAT(LoadError(frame, R"({"added_tokens_decoder": {"x": {"content": "a"}}})"),
              HasSubstr("'x' is not a token id"));
  EXPECT_THAT(LoadError(frame, R"({"cls_token": {"lstrip": true}})"),
              HasSubstr("'content' is missing"));
}

}  // namespace
}  // namespace grin
