// What writing GGUF needs: blocks are those of the gguf package, and tokenizers are named.

#include "grin/gguf/quantize.h"

#include <gtest/gtest.h>

#include <cstring>

#include "grin/gguf/pretokenizer.h"
#include "grin/io/safetensors.h"
#include "tests/io/scratch.h"

namespace grin {
namespace {

namespace fs = std::filesystem;

TEST(GgufQuantize, EncodesAsTheGgufPackage) {
  const SafetensorsFile golden(TestData("quantize.safetensors"));
  const auto bytes = [&](const char* name) { return golden.Bytes(golden.Find(name)); };
  std::vector<float> values(bytes("values").size() / sizeof(float));
  std::memcpy(values.data(), bytes("values").data(), bytes("values").size());
  for (const auto& [name, type] :
       {std::pair("F16", GgufType::kF16), std::pair("BF16", GgufType::kBF16),
        std::pair("Q8_0", GgufType::kQ8_0), std::pair("Q4_0", GgufType::kQ4_0)}) {
    const std::vector<std::byte> encoded = Quantize(type, values);
    ASSERT_EQ(encoded.size(), bytes(name).size()) << name;
    EXPECT_EQ(std::memcmp(encoded.data(), bytes(name).data(), encoded.size()), 0) << name;
  }
}

TEST(GgufPreTokenizer, IsNamedByWhatItDoes) {
  for (const char* name : {"gpt-2", "smollm", "llama-bpe", "qwen2", "tekken"}) {
    const GgufPreTokenizer known = FindGgufPreTokenizer(name, "");
    EXPECT_EQ(GgufPreTokenizerName(known.normalizer, known.pre_tokenizer, known.ignore_merges),
              name);
    EXPECT_EQ(GgufPreTokenizerName({{"type", "Lowercase"}}, known.pre_tokenizer, false), "");
  }
}

TEST(GgufPreTokenizer, RealTokenizersAreNamed) {
  if (!fs::exists(Shared("tokenizers"))) GTEST_SKIP() << "../shared/tokenizers is not there";
  int named = 0;
  for (const auto& entry : fs::recursive_directory_iterator(Shared("tokenizers"))) {
    if (entry.path().filename() != "tokenizer.json") continue;
    auto json = nlohmann::json::parse(std::ifstream(entry.path()));
    named += !GgufPreTokenizerName(Json(json["normalizer"]), Json(json["pre_tokenizer"]),
                                   json["model"].value("ignore_merges", false))
                  .empty();
  }
  EXPECT_GE(named, 4);  // Llama 3, SmolLM2, Qwen2.5, GPT-2
}

}  // namespace
}  // namespace grin
