// Ids, spans and decoded text equal those of the `tokenizers` package, by goldens from
// tests/data/make_tokenizer_goldens.py.

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "grin/base/atomic_file.h"
#include "grin/base/json.h"
#include "grin/text/tokenizer.h"
#include "tests/text/tokenizer_golden.h"

namespace grin {
namespace {

const std::filesystem::path kShared = GRIN_SHARED;

Json ReadGoldens(const char* name) { return Json::parse(ReadFile(kTokenizerFiles / name)); }

std::vector<int64_t> Flat(const std::vector<std::pair<int64_t, int64_t>>& spans) {
  std::vector<int64_t> flat;
  for (const auto& [begin, end] : spans) flat.insert(flat.end(), {begin, end});
  return flat;
}

std::vector<std::string> Lines(const std::filesystem::path& path) {
  const std::string text = ReadFile(path);
  std::vector<std::string> lines;
  size_t begin = 0;
  for (size_t end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
    lines.push_back(text.substr(begin, end - begin));
  }
  lines.push_back(text.substr(begin));
  return lines;
}

TEST(TokenizerParity, SmallTokenizersOfEveryKind) {
  const Json goldens = ReadGoldens("goldens.json");
  ASSERT_GE(goldens.size(), 5u);
  for (const auto& [name, golden] : goldens.items()) {
    SCOPED_TRACE(name);
    const Tokenizer tokenizer = Tokenizer::Load(kTokenizerFiles / fmt::format("{}.json", name));
    ExpectGolden(tokenizer, golden);
  }
}

// The same file under the settings of other classes: tests/data/make_tokenizer_class_goldens.py.
TEST(TokenizerParity, ClassesOfTransformers) {
  const Json goldens = Json::parse(ReadFile(kTokenizerFiles.parent_path() / "tokenizer_classes.json"));
  ASSERT_EQ(goldens["made_with"], "transformers 4.45.1");
  ASSERT_GE(goldens["cases"].size(), 200u);
  for (const Json& golden : goldens["cases"]) {
    SCOPED_TRACE(golden["name"]);
    Json file = Json::parse(ReadFile(kTokenizerFiles / (golden["tokenizer"].get<std::string>() + ".json")));
    file.update(golden["patch"]);
    const auto read = [&](std::string_view name) -> std::optional<std::string> {
      if (name == "tokenizer.json") return file.dump();
      const auto found = golden["files"].find(name);
      return found == golden["files"].end() ? std::nullopt : std::optional(found->dump());
    };
    const Tokenizer tokenizer = Tokenizer::FromFiles(read, "model");
    for (size_t i = 0; i < goldens["texts"].size(); ++i) {
      const auto text = goldens["texts"][i].get<std::string>();
      EXPECT_EQ(Json(tokenizer.Encode(text, true).ids), golden["ids"][i]) << text;
      EXPECT_EQ(Json(tokenizer.Encode(text, false).ids), golden["plain_ids"][i]) << text;
    }
  }
}

TEST(TokenizerParity, RealTokenizers) {
  if (!std::filesystem::exists(kShared / "tokenizers")) GTEST_SKIP() << "no " << kShared;
  const Json texts = ReadGoldens("texts.json");
  const Json goldens = ReadGoldens("shared_goldens.json");
  for (const auto& [name, golden] : goldens.items()) {
    SCOPED_TRACE(name);
    const Tokenizer tokenizer = Tokenizer::Load(kShared / name);
    for (size_t i = 0; i < texts.size(); ++i) {
      const Encoding encoding = tokenizer.Encode(texts[i].get<std::string>(), true);
      EXPECT_EQ(Json(encoding.ids), golden["texts"][i]["ids"]) << texts[i];
      Digest spans;
      spans.Add(Flat(encoding.spans));
      EXPECT_EQ(spans.Text(), golden["texts"][i]["spans"]) << texts[i];
    }
    ExpectDecodings(tokenizer, golden["decodings"]);
  }
}

TEST(TokenizerParity, RealTokenizersOnWholeCorporaSlow) {
  if (!std::filesystem::exists(kShared / "tokenizers")) GTEST_SKIP() << "no " << kShared;
  const std::filesystem::path wiki = kShared / "data/text/wiki.test.raw";
  const std::vector<std::string> wiki_lines = Lines(wiki);
  std::vector<std::filesystem::path> tofu_files;
  for (const auto& entry : std::filesystem::directory_iterator(kShared / "data/tofu")) {
    if (entry.path().extension() == ".json") tofu_files.push_back(entry.path());
  }
  std::sort(tofu_files.begin(), tofu_files.end());
  std::vector<std::string> tofu_lines;
  for (const auto& file : tofu_files) {
    for (std::string& line : Lines(file)) tofu_lines.push_back(std::move(line));
  }
  const Json goldens = ReadGoldens("shared_goldens.json");
  for (const auto& [name, golden] : goldens.items()) {
    SCOPED_TRACE(name);
    const Tokenizer tokenizer = Tokenizer::Load(kShared / name);
    EXPECT_EQ(RandomDigest(tokenizer, 10000), golden["random"]);
    EXPECT_EQ(DigestOf(tokenizer, wiki_lines), golden["wiki_lines"]);
    EXPECT_EQ(DigestOf(tokenizer, {ReadFile(wiki)}), golden["wiki_whole"]);
    EXPECT_EQ(DigestOf(tokenizer, tofu_lines), golden["tofu_lines"]);
  }
}

// Every string gives itself back from byte-level ids, whatever it is.
TEST(TokenizerProperties, ByteLevelRoundTrip) {
  for (const char* name : {"byte_level.json", "llama3_like.json"}) {
    const Tokenizer tokenizer = Tokenizer::Load(kTokenizerFiles / name);
    Generator generator(3);
    for (int i = 0; i < 300; ++i) {
      const std::string text = generator.Text();
      const std::vector<int32_t> ids = tokenizer.Encode(text, false).ids;
      const std::string decoded = tokenizer.Decode(ids, false);
      if (name == std::string_view("byte_level.json")) {
        EXPECT_EQ(decoded, text);
      } else {  // normalised: a second round changes nothing more
        const std::string again = tokenizer.Decode(tokenizer.Encode(decoded, false).ids, false);
        EXPECT_EQ(again, decoded);
      }
    }
  }
}

TEST(TokenizerProperties, SpansCoverTheTextInOrder) {
  const Tokenizer tokenizer = Tokenizer::Load(kTokenizerFiles / "byte_level.json");
  Generator generator(4);
  for (int i = 0; i < 300; ++i) {
    const std::string text = generator.Text();
    int64_t covered = 0;
    for (const auto& [begin, end] : tokenizer.Encode(text, true).spans) {
      EXPECT_LE(begin, covered);  // no gap
      EXPECT_LT(begin, end);
      covered = std::max(covered, end);
    }
    EXPECT_EQ(covered, static_cast<int64_t>(text.size()));
  }
}

}  // namespace
}  // namespace grin
