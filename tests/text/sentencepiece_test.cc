// Unigram models, SentencePiece files and directories without a tokenizer.json, by goldens from
// tests/data/make_sentencepiece_goldens.py.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>

#include "grin/base/atomic_file.h"
#include "grin/base/error.h"
#include "grin/base/random.h"
#include "grin/text/tokenizer.h"
#include "tests/text/tokenizer_golden.h"

namespace grin {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

Json Goldens() { return Json::parse(ReadFile(kTokenizerFiles / "sentencepiece_goldens.json")); }

// A directory that exists in memory only.
using Files = std::map<std::string, std::string, std::less<>>;

Tokenizer FromFiles(const Files& files) {
  return Tokenizer::FromFiles(
      [&](std::string_view name) -> std::optional<std::string> {
        const auto found = files.find(name);
        return found == files.end() ? std::nullopt : std::optional(found->second);
      },
      "dir");
}

std::string FilesError(const Files& files) {
  try {
    FromFiles(files);
  } catch (const Error& error) {
    EXPECT_EQ(error.error_class(), ErrorClass::kBadInput);
    return error.what();
  }
  return "";
}

// The texts on which the packages do not see special tokens.
std::vector<std::string> PlainTexts(size_t random) {
  std::vector<std::string> texts;
  for (const Json& text : Json::parse(ReadFile(kTokenizerFiles / "texts.json"))) texts.push_back(text);
  Generator generator(1);
  for (size_t i = 0; i < random; ++i) texts.push_back(generator.Text());
  std::erase_if(texts, [](const std::string& text) {
    constexpr std::string_view kSpecial[] = {"<s>",   "</s>",         "<unk>",  "<pad>",
                                             "<sep>", "\xe2\x96\x81", {"\0", 1}};
    return std::ranges::any_of(
        kSpecial, [&](std::string_view token) { return text.find(token) != std::string::npos; });
  });
  return texts;
}

TEST(SentencePiece, ModelsAsTheSentencepiecePackageHasThem) {
  const std::vector<std::string> texts = PlainTexts(1500);
  const Json goldens = Goldens();
  for (const auto& [name, golden] : goldens["models"].items()) {
    SCOPED_TRACE(name);
    const Tokenizer tokenizer =
        FromFiles({{"tokenizer.model", ReadFile(kTokenizerFiles / (name + ".model"))}});
    for (const Json& expected : golden["texts"]) {
      EXPECT_EQ(Json(tokenizer.Encode(expected["text"].get<std::string>(), true).ids),
                expected["ids"])
          << expected["text"];
    }
    ASSERT_EQ(texts.size(), golden["count"]);
    EXPECT_EQ(DigestOf(tokenizer, texts), golden["all"]);
  }
}

TEST(SentencePiece, UnigramAsTheTokenizersPackageHasIt) {
  ExpectGolden(Tokenizer::Load(kTokenizerFiles / "unigram.json"), Goldens()["unigram"]);
}

TEST(SentencePiece, SettingsBesideTheModelCount) {
  const std::string model = ReadFile(kTokenizerFiles / "bpe.model");
  const auto ids = [&](const char* config, std::string_view text) {
    return FromFiles({{"tokenizer.model", model}, {"tokenizer_config.json", config}})
        .Encode(text, true)
        .ids;
  };
  const std::vector<int32_t> plain = ids("{\"add_bos_token\": false}", "kalo");
  EXPECT_EQ(plain.front(), ids("{}", "kalo")[1]);
  EXPECT_EQ(ids("{}", "kalo")[0], 1);
  EXPECT_EQ(ids("{\"add_eos_token\": true}", "kalo").back(), 2);
  EXPECT_NE(ids("{\"add_prefix_space\": false}", "kalo"), ids("{}", "kalo"));
  // Behind a special token there is a mark in front in the legacy way only.
  const auto behind = [&](const char* config) {
    std::vector<int32_t> all = ids(config, "</s>kalo");
    return std::vector<int32_t>(std::ranges::find(all, 2) + 1, all.end());
  };
  EXPECT_EQ(behind("{}"), plain);
  EXPECT_NE(behind("{\"legacy\": false}"), plain);
  EXPECT_EQ(ids("{\"legacy\": false}", "kalo"), ids("{}", "kalo"));
  // An added token has the next id.
  const Tokenizer more = FromFiles(
      {{"tokenizer.model", model}, {"tokenizer_config.json", R"({"pad_token": "[PAD]"})"}});
  EXPECT_EQ(more.IdOf("[PAD]"), 600);
  EXPECT_TRUE(more.IsSpecial(600));
  EXPECT_TRUE(more.IsSpecial(0));
  EXPECT_FALSE(more.IsSpecial(300));
}

TEST(SentencePiece, AModelFileIsReadByItself) {
  EXPECT_EQ(
      Tokenizer::Load(kTokenizerFiles / "bpe.model").Encode("kalo ne", true).ids,
      FromFiles({{"tokenizer.model", ReadFile(kTokenizerFiles / "bpe.model")}}).Encode("kalo ne", true).ids);
}

TEST(SentencePiece, UnigramDetails) {
  const auto tokenizer = [](const char* model) {
    return Tokenizer::FromText(std::string("{\"model\": ") + model + "}", "t");
  };
  const Tokenizer small = tokenizer(
      R"({"unk_id": 0, "vocab": [["<unk>", 0], ["a", -1], ["b", -2.5], ["ab", -3], ["aa", -2]]})");
  EXPECT_THAT(small.Encode("ab", true).ids, ElementsAre(3));
  EXPECT_THAT(small.Encode("aa", true).ids,
              ElementsAre(4));  // equal scores: the longer, found first
  const Encoding unknown = small.Encode("a\u00e9xb", true);
  EXPECT_THAT(unknown.ids, ElementsAre(1, 0, 2));
  EXPECT_THAT(unknown.spans, ElementsAre(Pair(0, 1), Pair(1, 4), Pair(4, 5)));
  const Tokenizer bytes = tokenizer(
      R"({"type": "Unigram", "unk_id": 0, "byte_fallback": true,
          "vocab": [["<unk>", 0], ["a", -1], ["<0xC3>", -9], ["<0xA9>", -9]]})");
  const Encoding fallback = bytes.Encode("a\u00e9a", true);
  EXPECT_THAT(fallback.ids, ElementsAre(1, 2, 3, 1));
  EXPECT_THAT(fallback.spans, ElementsAre(Pair(0, 1), Pair(1, 3), Pair(1, 3), Pair(3, 4)));
  EXPECT_THAT(bytes.Encode("ax", true).ids, ElementsAre(1, 0));  // no token for its byte
  EXPECT_THROW(tokenizer(R"({"vocab": [["a", -1]]})").Encode("x", true), Error);
  EXPECT_THROW(tokenizer(R"({"unk_id": 1, "vocab": [["a", -1]]})"), Error);
  EXPECT_THROW(tokenizer(R"({"type": "Unigram", "vocab": []})"), Error);
  EXPECT_THROW(tokenizer(R"({"vocab": [["a"]]})"), Error);
  EXPECT_THROW(tokenizer(R"({"vocab": [[-1, "a"]]})"), Error);
  EXPECT_THROW(tokenizer(R"({"vocab": ["a", -1]})"), Error);
}

Files ByteLevelFiles() {
  const Json model = Json::parse(ReadFile(kTokenizerFiles / "byte_level.json"))["model"];
  Files files = {{"vocab.json", model["vocab"].dump()}, {"merges.txt", "#version: 0.2\n"}};
  for (const Json& pair : model["merges"]) {
    files["merges.txt"] += pair[0].get<std::string>() + " " + pair[1].get<std::string>() + "\n";
  }
  return files;
}

TEST(TokenizerDirectory, VocabularyAndMergesAsTransformersLoadsThem) {
  const Json texts = Json::parse(ReadFile(kTokenizerFiles / "texts.json"));
  const Json goldens = Goldens();
  for (const auto& [name, golden] : goldens["directories"].items()) {
    SCOPED_TRACE(name);
    Files files = ByteLevelFiles();
    for (const auto& [file, content] : golden["files"].items()) files[file] = content.dump();
    const Tokenizer tokenizer = FromFiles(files);
    for (size_t i = 0; i < texts.size(); ++i) {
      const std::string text = texts[i];
      EXPECT_EQ(Json(tokenizer.Encode(text, true).ids), golden["ids"][i]) << text;
      EXPECT_EQ(Json(tokenizer.Encode(text, false).ids), golden["plain"][i]) << text;
    }
    EXPECT_EQ(RandomDigest(tokenizer, 1000), golden["random"]);
  }
}

TEST(TokenizerDirectory, OptIsKnownByItsVocabulary) {
  const Files files = {{"vocab.json", R"({"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3, "a": 4})"},
                       {"merges.txt", ""}};
  EXPECT_THAT(FromFiles(files).Encode("a</s>a", true).ids, ElementsAre(2, 4, 2, 4));
  EXPECT_THAT(FromFiles(files).Encode("a", false).ids, ElementsAre(4));
  Files roberta = files;
  roberta["config.json"] = R"({"model_type": "roberta"})";
  EXPECT_THAT(FromFiles(roberta).Encode("a", true).ids, ElementsAre(0, 4, 2));
}

TEST(TokenizerDirectory, SharedOpt) {
  const std::filesystem::path opt = std::filesystem::path(GRIN_SHARED) / "tokenizers/opt";
  if (!std::filesystem::exists(opt)) GTEST_SKIP() << "NOT TESTED: " << opt << " is missing";
  EXPECT_THAT(Tokenizer::Load(opt).Encode("Hello world", true).ids, ElementsAre(2, 31414, 232));
}

// Llama 2's own tokenizer.json and the one made from its tokenizer.model.
TEST(TokenizerDirectory, SharedLlama2) {
  const std::filesystem::path llama = std::filesystem::path(GRIN_SHARED) / "tokenizers/llama2";
  if (!std::filesystem::exists(llama)) GTEST_SKIP() << "NOT TESTED: " << llama << " is missing";
  const Tokenizer made = FromFiles({{"tokenizer.model", ReadFile(llama / "tokenizer.model")}});
  const Tokenizer own = Tokenizer::Load(llama);
  for (const std::string& text : PlainTexts(500)) {
    EXPECT_EQ(made.Encode(text, true).ids, own.Encode(text, true).ids) << text;
  }
}

TEST(TokenizerDirectory, ErrorsNameTheFile) {
  EXPECT_THAT(FilesError({}), HasSubstr("dir: has no tokenizer: no tokenizer.json, no"));
  EXPECT_THAT(FilesError({{"tokenizer.model", "IQ== 0\n"}}),
              HasSubstr("dir/tokenizer.model: is not a SentencePiece model"));
  const std::string model = ReadFile(kTokenizerFiles / "bpe.model");
  EXPECT_THAT(FilesError({{"tokenizer.model", model.substr(0, 1000)}}), HasSubstr("at byte"));
  EXPECT_THAT(FilesError({{"tokenizer.model", model},
                       {"tokenizer_config.json", R"({"tokenizer_class": "XGLMTokenizer"})"}}),
              HasSubstr("XGLMTokenizer numbers its pieces in its own way"));
  EXPECT_THAT(FilesError({{"tokenizer.model", model}, {"tokenizer_config.json", "{"}}),
              HasSubstr("dir/tokenizer_config.json"));
  EXPECT_THAT(FilesError({{"tokenizer.model", model}, {"tokenizer_config.json", R"({"legacy": 1})"}}),
              HasSubstr("dir/tokenizer_config.json: legacy is 1, expected true or false"));
  Files files = ByteLevelFiles();
  files["merges.txt"] = "#version: 0.2\na b c\n";
  EXPECT_THAT(FilesError(files), HasSubstr("dir/merges.txt:2: is 'a b c'"));
  files["vocab.json"] = "[]";
  EXPECT_THAT(FilesError(files), HasSubstr("dir/vocab.json: not a JSON object"));
}

// A damaged model is refused with an Error or works; nothing else happens.
TEST(SentencePiece, SurvivesDamagedModels) {
  for (const char* name : {"bpe.model", "unigram_plain.model"}) {
    const std::string whole = ReadFile(kTokenizerFiles / name);
    const RandomStream random(7, name);
    uint64_t next = 0;
    for (int trial = 0; trial < 300; ++trial) {
      std::string damaged = whole;
      for (uint64_t edits = 1 + random.Below(next++, 3); edits > 0; --edits) {
        // The settings stand at the end.
        const uint64_t window = random.Below(next++, 2) ? damaged.size() : 1200;
        const size_t at = damaged.size() - 1 - random.Below(next++, window);
        damaged[at] = static_cast<char>(random.Below(next++, 256));
        if (random.Below(next++, 8) == 0) damaged.resize(at + 1);
      }
      try {
        const Tokenizer tokenizer = FromFiles({{"tokenizer.model", damaged}});
        const Encoding encoding = tokenizer.Encode("kalo 12 e\u0301 \u212b<s> \r\n", true);
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
