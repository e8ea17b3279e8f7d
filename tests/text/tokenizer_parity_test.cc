// Ids, spans and decoded text equal those of the `tokenizers` package, by goldens from
// tests/data/make_tokenizer_goldens.py.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "grin/base/atomic_file.h"
#include "grin/base/json.h"
#include "grin/text/tokenizer.h"
#include "grin/text/utf8.h"

namespace grin {
namespace {

const std::filesystem::path kData = std::filesystem::path(GRIN_TEST_DATA) / "tokenizers";
const std::filesystem::path kShared = GRIN_SHARED;

Json ReadGoldens(const char* name) { return Json::parse(ReadFile(kData / name)); }

// The random texts of the golden script.
class Generator {
 public:
  explicit Generator(uint64_t seed) : state_(seed) {}

  uint64_t Below(uint64_t bound) {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return (state_ >> 33) % bound;
  }

  std::string Text() {
    static constexpr std::pair<char32_t, char32_t> kRanges[] = {
        {0x20, 0x7e},       {0x61, 0x7a},       {0x41, 0x5a},       {0x30, 0x39},
        {0x20, 0x20},       {0x9, 0xd},         {0xa0, 0x24f},      {0x300, 0x36f},
        {0x370, 0x5ff},     {0x600, 0x6ff},     {0x900, 0xdff},     {0x1100, 0x11ff},
        {0x1e00, 0x1fff},   {0x2000, 0x206f},   {0x2100, 0x2bff},   {0x3000, 0x30ff},
        {0x4e00, 0x9fff},   {0xac00, 0xd7a3},   {0xe000, 0xe0ff},   {0xf900, 0xffff},
        {0x10000, 0x1ffff}, {0x1f300, 0x1faff}, {0x20000, 0x323af}, {0x0, 0x1f}};
    static constexpr const char* kPieces[] = {
        "'s",    "'LL", " the", "ing",           "  ",           "\r\n",
        "\n\n",  "<s>", "</s>", "<|endoftext|>", "<|im_start|>", "<|end_of_text|>",
        "<bos>", "▁",   "Ġ",    "\u200d",        "\ufe0f",       "123"};
    std::string text;
    for (uint64_t parts = 1 + Below(24); parts > 0; --parts) {
      const uint64_t choice = Below(std::size(kRanges) + 8);
      if (choice >= std::size(kRanges)) {
        text += kPieces[Below(std::size(kPieces))];
        continue;
      }
      const auto [first, last] = kRanges[choice];
      for (uint64_t count = 1 + Below(4); count > 0; --count) {
        AppendUtf8(text, first + static_cast<char32_t>(Below(last - first + 1)));
      }
    }
    return text;
  }

 private:
  uint64_t state_;
};

// The digest of the golden script.
class Digest {
 public:
  template <typename Ids>
  void Add(const Ids& ids) {
    for (const auto id : ids) AddOne(static_cast<int64_t>(id));
    AddOne(-1);
  }
  std::string Text() const { return fmt::format("{:016x}", sum_); }

 private:
  void AddOne(int64_t id) {
    ++place_;
    sum_ += static_cast<uint64_t>(id + 2) * (place_ * 0x9e3779b97f4a7c15u | 1);
  }
  uint64_t sum_ = 0;
  uint64_t place_ = 0;
};

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

std::string DigestOf(const Tokenizer& tokenizer, const std::vector<std::string>& texts) {
  Digest digest;
  for (const std::string& text : texts) digest.Add(tokenizer.Encode(text, true).ids);
  return digest.Text();
}

std::string RandomDigest(const Tokenizer& tokenizer, int count) {
  Generator generator(1);
  std::vector<std::string> texts;
  for (int i = 0; i < count; ++i) texts.push_back(generator.Text());
  return DigestOf(tokenizer, texts);
}

void ExpectDecodings(const Tokenizer& tokenizer, const Json& cases) {
  for (const Json& golden : cases) {
    const auto ids = golden["ids"].get<std::vector<int32_t>>();
    EXPECT_EQ(tokenizer.Decode(ids, false), golden["text"].get<std::string>());
    EXPECT_EQ(tokenizer.Decode(ids, true), golden["skipped"].get<std::string>());
  }
}

TEST(TokenizerParity, SmallTokenizersOfEveryKind) {
  const Json goldens = ReadGoldens("goldens.json");
  ASSERT_GE(goldens.size(), 5u);
  for (const auto& [name, golden] : goldens.items()) {
    SCOPED_TRACE(name);
    const Tokenizer tokenizer = Tokenizer::Load(kData / fmt::format("{}.json", name));
    for (const Json& expected : golden["texts"]) {
      const std::string text = expected["text"];
      const Encoding encoding = tokenizer.Encode(text, true);
      EXPECT_EQ(Json(encoding.ids), expected["ids"]) << text;
      EXPECT_EQ(Json(encoding.spans), expected["spans"]) << text;
      EXPECT_EQ(Json(tokenizer.Encode(text, false).ids), expected["plain"]) << text;
    }
    ExpectDecodings(tokenizer, golden["decodings"]);
    EXPECT_EQ(RandomDigest(tokenizer, 2000), golden["random"]);
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
    const Tokenizer tokenizer = Tokenizer::Load(kData / name);
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
  const Tokenizer tokenizer = Tokenizer::Load(kData / "byte_level.json");
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
