#pragma once
// What tests/data/make_tokenizer_goldens.py writes, and the random texts that it makes.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "grin/base/json.h"
#include "grin/base/utf8.h"
#include "grin/text/tokenizer.h"

namespace grin {

// The small tokenizers of the golden script, and what they make of its texts.
inline const std::filesystem::path kTokenizerFiles =
    std::filesystem::path(GRIN_TEST_DATA) / "tokenizers";

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

inline std::string DigestOf(const Tokenizer& tokenizer, const std::vector<std::string>& texts) {
  Digest digest;
  for (const std::string& text : texts) digest.Add(tokenizer.Encode(text, true).ids);
  return digest.Text();
}

inline std::string RandomDigest(const Tokenizer& tokenizer, int count) {
  Generator generator(1);
  std::vector<std::string> texts;
  for (int i = 0; i < count; ++i) texts.push_back(generator.Text());
  return DigestOf(tokenizer, texts);
}

inline void ExpectDecodings(const Tokenizer& tokenizer, const Json& cases) {
  for (const Json& golden : cases) {
    const auto ids = golden["ids"].get<std::vector<int32_t>>();
    EXPECT_EQ(tokenizer.Decode(ids, false), golden["text"].get<std::string>());
    EXPECT_EQ(tokenizer.Decode(ids, true), golden["skipped"].get<std::string>());
  }
}

// Ids, spans, ids without special tokens, decoded text.
inline void ExpectGolden(const Tokenizer& tokenizer, const Json& golden) {
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

}  // namespace grin
