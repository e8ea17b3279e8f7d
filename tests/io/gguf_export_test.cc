// Checkpoints written as GGUF: what comes back is what went in, and blocks are those of the gguf
// package.

#include "grin/io/gguf_export.h"

#include <gmock/gmock.h>

#include <cstring>

#include "grin/io/gguf.h"
#include "grin/io/gguf_dequantize.h"
#include "grin/io/gguf_pretokenizer.h"
#include "grin/io/gguf_quantize.h"
#include "grin/io/safetensors.h"
#include "grin/io/write_checkpoint.h"
#include "tests/io/scratch.h"

namespace grin {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

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

// The two fixtures: a byte-level tokenizer and untied weights; SentencePiece, a window, tied
// weights and Llama 3's positions.
class GgufExport : public testing::TestWithParam<const char*> {
 protected:
  const fs::path dir_ = Scratch("gguf_export");
  std::shared_ptr<const Checkpoint> source_ = Checkpoint::Open(TestData(GetParam()));
};

TEST_P(GgufExport, ComesBackBitForBit) {
  WriteGguf(*source_, dir_ / "m.gguf", GgufType::kF32);
  const auto back = Checkpoint::Open(dir_ / "m.gguf");
  Json config = source_->config(), again = back->config();
  config.erase("torch_dtype");
  again.erase("torch_dtype");
  EXPECT_EQ(again, config);
  EXPECT_EQ(nlohmann::json(Json::parse(*back->TokenizerJson())),
            nlohmann::json(Json::parse(*source_->TokenizerJson())));
  EXPECT_EQ(Json::parse(*back->TokenizerConfigJson()),
            Json::parse(*source_->TokenizerConfigJson()));
  EXPECT_EQ(back->SideText("generation_config.json"), source_->SideText("generation_config.json"));
  ASSERT_EQ(back->tensors().size(), source_->tensors().size());
  for (const TensorInfo& tensor : source_->tensors()) {
    const TensorBytes bytes = source_->Read(tensor.name);
    std::vector<std::byte> expected(static_cast<size_t>(tensor.elements()) * sizeof(float));
    ConvertFloats(tensor.dtype, bytes.bytes, DType::kF32, expected);
    const TensorBytes actual = back->Read(tensor.name);
    ASSERT_EQ(back->Find(tensor.name)->shape, tensor.shape) << tensor.name;
    ASSERT_EQ(actual.bytes.size(), expected.size()) << tensor.name;
    EXPECT_EQ(std::memcmp(actual.bytes.data(), expected.data(), expected.size()), 0) << tensor.name;
  }
}

TEST_P(GgufExport, MatricesHaveTheTypeAskedForAndVectorsStayWhole) {
  for (const char* name : {"float16", "bfloat16", "q8_0", "q4_0"}) {
    const GgufType type = *WritableGgufType(name);
    WriteGguf(*source_, dir_ / "m.gguf", type);
    const GgufFile file(dir_ / "m.gguf");
    int matrices = 0;
    for (const GgufTensor& tensor : file.tensors()) {
      if (tensor.shape.size() == 1) {
        EXPECT_EQ(tensor.type, GgufType::kF32) << tensor.name;
      } else {
        const bool divides = tensor.shape.back() % TraitsOf(type).block_elements == 0;
        EXPECT_EQ(tensor.type, divides ? type : GgufType::kF16) << tensor.name;
        ++matrices;
      }
      EXPECT_EQ(reinterpret_cast<uintptr_t>(tensor.bytes.data()) % 32, 0u) << tensor.name;
    }
    EXPECT_GT(matrices, 8);
    EXPECT_NO_THROW(Checkpoint::Open(dir_ / "m.gguf"));
  }
}

INSTANTIATE_TEST_SUITE_P(Fixtures, GgufExport, testing::Values("bpe.gguf", "spm.gguf"));

TEST(GgufExportErrors, SayWhatHasNoPlace) {
  const fs::path dir = Scratch("gguf_export_errors");
  WriteCheckpoint(*Checkpoint::Open(TestData("bpe.gguf")), dir, {});
  const Json config = Checkpoint::Open(dir)->config();
  const auto error = [&](const char* key, const Json& value) {
    Json changed = config;
    changed[key] = value;
    Put(dir / "config.json", changed.dump());
    return ErrorOf([&] { WriteGguf(*Checkpoint::Open(dir), dir / "m.gguf", {}); });
  };
  EXPECT_THAT(error("model_type", "gpt_neox"),
              AllOf(HasSubstr("model_type 'gpt_neox'"), HasSubstr("llama, mistral or qwen2")));
  EXPECT_THAT(error("num_hidden_layers", Json()), HasSubstr("'num_hidden_layers' is missing"));
  EXPECT_THAT(error("rope_scaling", {{"rope_type", "dynamic"}}),
              HasSubstr("the rope scaling 'dynamic'"));
  EXPECT_THAT(error("num_attention_heads", 1), HasSubstr("rows, expected"));
  EXPECT_FALSE(fs::exists(dir / "m.gguf"));
  // A tokenizer without a name in the format is left out.
  Put(dir / "config.json", config.dump());
  Json tokenizer = Json::parse(*Checkpoint::Open(dir)->TokenizerJson());
  tokenizer["pre_tokenizer"] = {{"type", "Whitespace"}};
  Put(dir / "tokenizer.json", tokenizer.dump());
  WriteGguf(*Checkpoint::Open(dir), dir / "m.gguf", {});
  EXPECT_EQ(GgufFile(dir / "m.gguf").Find("tokenizer.ggml.tokens"), nullptr);
  tokenizer["added_tokens"][0]["id"] = 100000;
  tokenizer["pre_tokenizer"] = FindGgufPreTokenizer("gpt-2", "").pre_tokenizer;
  tokenizer["normalizer"] = nullptr;
  tokenizer["model"]["ignore_merges"] = false;
  Put(dir / "tokenizer.json", tokenizer.dump());
  EXPECT_THAT(ErrorOf([&] { WriteGguf(*Checkpoint::Open(dir), dir / "m.gguf", {}); }),
              HasSubstr("has the id 100000"));
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
