// Checkpoints written as GGUF: what comes back is what went in, and what stands there is what
// llama.cpp's own converter writes.

#include "grin/gguf/export.h"

#include <gmock/gmock.h>

#include <cstring>
#include <set>

#include "grin/base/digest.h"
#include "grin/gguf/gguf_file.h"
#include "grin/gguf/open_checkpoint.h"
#include "grin/gguf/pretokenizer.h"
#include "grin/gguf/quantize.h"
#include "grin/io/tensor_info.h"
#include "grin/io/write_checkpoint.h"
#include "tests/io/scratch.h"
#include "tests/model/tiny.h"

namespace grin {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

// The two fixtures: a byte-level tokenizer and untied weights; SentencePiece, a window, tied
// weights and Llama 3's positions.
class GgufExport : public testing::TestWithParam<const char*> {
 protected:
  const fs::path dir_ = Scratch("gguf_export");
  std::shared_ptr<const Checkpoint> source_ = OpenCheckpoint(TestData(GetParam()));
};

TEST_P(GgufExport, ComesBackBitForBit) {
  WriteGguf(*source_, dir_ / "m.gguf", GgufType::kF32);
  const auto back = OpenCheckpoint(dir_ / "m.gguf");
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
    EXPECT_NO_THROW(OpenCheckpoint(dir_ / "m.gguf"));
  }
}

INSTANTIATE_TEST_SUITE_P(Fixtures, GgufExport, testing::Values("bpe.gguf", "spm.gguf"));

TEST(GgufExportErrors, SayWhatHasNoPlace) {
  const fs::path dir = Scratch("gguf_export_errors");
  WriteCheckpoint(*OpenCheckpoint(TestData("bpe.gguf")), dir, {});
  const Json config = OpenCheckpoint(dir)->config();
  const auto error = [&](const char* key, const Json& value) {
    Json changed = config;
    changed[key] = value;
    Put(dir / "config.json", changed.dump());
    return ErrorOf([&] { WriteGguf(*OpenCheckpoint(dir), dir / "m.gguf", {}); });
  };
  EXPECT_THAT(error("model_type", "mixtral"), HasSubstr("mixture of experts"));
  EXPECT_THAT(error("num_hidden_layers", Json()), HasSubstr("num_hidden_layers"));
  EXPECT_THAT(error("rope_scaling", {{"rope_type", "ntk"}}), HasSubstr("rope scaling 'ntk'"));
  EXPECT_THAT(error("hidden_act", "relu"), HasSubstr("its activation is not silu"));
  EXPECT_THAT(error("num_attention_heads", 2),
              AllOf(HasSubstr("self_attn.q_proj.weight"), HasSubstr("of the shape")));
  EXPECT_THAT(error("num_hidden_layers", 99), HasSubstr("missing"));
  EXPECT_FALSE(fs::exists(dir / "m.gguf"));
  // A tokenizer without a name in the format is left out.
  Put(dir / "config.json", config.dump());
  Json tokenizer = Json::parse(*OpenCheckpoint(dir)->TokenizerJson());
  tokenizer["pre_tokenizer"] = {{"type", "Whitespace"}};
  Put(dir / "tokenizer.json", tokenizer.dump());
  WriteGguf(*OpenCheckpoint(dir), dir / "m.gguf", {});
  EXPECT_EQ(GgufFile(dir / "m.gguf").Find("tokenizer.ggml.tokens"), nullptr);
  EXPECT_FALSE(OpenCheckpoint(dir / "m.gguf")->TokenizerJson().has_value());
  tokenizer["added_tokens"][0]["id"] = 100000;
  tokenizer["pre_tokenizer"] = FindGgufPreTokenizer("gpt-2", "").pre_tokenizer;
  tokenizer["normalizer"] = nullptr;
  tokenizer["model"]["ignore_merges"] = false;
  Put(dir / "tokenizer.json", tokenizer.dump());
  EXPECT_THAT(ErrorOf([&] { WriteGguf(*OpenCheckpoint(dir), dir / "m.gguf", {}); }),
              HasSubstr("has the id 100000"));
}

// A checkpoint directory with the tiny model's tensors and `edits` in its config.json.
fs::path Edited(const std::string& name, const Json& edits) {
  const fs::path dir = Scratch("gguf_edited");
  fs::copy(TinyPath(name), dir, fs::copy_options::recursive);
  Json config = Json::parse(ReadFile(dir / "config.json"));
  config.update(edits);
  Put(dir / "config.json", config.dump());
  return dir;
}

std::string ShortDigest(std::span<const std::byte> bytes) {
  const fs::path path = fs::path(testing::TempDir()) / "grin_digest";
  Put(path, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  return FileSha256(path).substr(0, 16);
}

void ExpectSetting(const GgufFile& file, const std::string& key, const Json& expected) {
  SCOPED_TRACE(key);
  if (expected.is_string()) {
    EXPECT_EQ(file.String(key), expected.get<std::string>());
  } else if (expected.is_boolean()) {
    EXPECT_EQ(file.Bool(key), expected.get<bool>());
  } else {
    const double number = file.Number(key).value_or(0.0);  // some converters write a 0
    EXPECT_NEAR(number, expected.get<double>(), 1e-6 * expected.get<double>());
  }
}

// By their digest, or by their values.
void ExpectElements(const GgufTensor& tensor, const Json& expected) {
  if (expected.is_string()) {
    EXPECT_EQ(ShortDigest(tensor.bytes), expected.get<std::string>()) << tensor.name;
    return;
  }
  std::vector<float> values(expected.size());
  ASSERT_EQ(tensor.bytes.size(), values.size() * sizeof(float)) << tensor.name;
  std::memcpy(values.data(), tensor.bytes.data(), tensor.bytes.size());
  for (size_t i = 0; i < values.size(); ++i) {
    EXPECT_NEAR(values[i], expected[i].get<double>(), 1e-5 * values[i]) << tensor.name;
  }
}

TEST(GgufExportFamilies, WriteWhatTheConverterOfLlamaCppWrites) {
  const Json golden = GoldenJson("io/gguf_export.json");
  const fs::path dir = Scratch("gguf_families");
  std::set<std::string> architectures;
  for (const auto& [name, model] : golden.items()) {
    if (name == "refused") continue;
    SCOPED_TRACE(name);
    WriteGguf(*OpenCheckpoint(Edited(name, model["config"])), dir / "m.gguf", GgufType::kF32);
    const GgufFile file(dir / "m.gguf");
    architectures.insert(*file.String("general.architecture"));
    for (const auto& [key, expected] : model["settings"].items()) {
      if (key != "falcon.tensor_data_layout") ExpectSetting(file, key, expected);
    }
    for (const auto& [tensor_name, expected] : model["tensors"].items()) {
      const GgufTensor* tensor = file.FindTensor(tensor_name);
      ASSERT_NE(tensor, nullptr) << tensor_name;
      EXPECT_EQ(tensor->shape, expected[0].get<std::vector<int64_t>>()) << tensor_name;
      ExpectElements(*tensor, expected[1]);
    }
    for (const GgufTensor& tensor : file.tensors()) {  // a tied head may be there twice
      EXPECT_TRUE(model["tensors"].contains(tensor.name) || tensor.name == "output.weight")
          << tensor.name;
    }
  }
  EXPECT_THAT(architectures, testing::UnorderedElementsAre(
                                 "falcon", "gemma", "gemma2", "gemma3", "gpt2", "gptneox", "llama",
                                 "olmo2", "phi2", "phi3", "qwen2", "qwen3", "smollm3", "stablelm"));
}

// What a configuration comes to, in words.
std::string Essence(const Model& model) {
  const ModelConfig& c = model.config;
  std::string text = fmt::format("{} {} {} {} {} {} {} {} {:.3e} tied {}", c.layers, c.hidden,
                                 c.intermediate, c.heads, c.kv_heads, c.head_dim, c.vocabulary,
                                 c.context, c.norm.epsilon, c.tied_embeddings);
  for (const RopeConfig& rope : c.ropes) {
    text += fmt::format("; rope {} {} {} {} {:.5f}", static_cast<int>(rope.kind), rope.theta,
                        rope.dimensions, rope.factor, rope.magnitude);
  }
  for (const LayerConfig& layer : c.layer) {
    text += fmt::format("; {} {} {:.6f}", layer.rope.has_value(),
                        layer.attention.window.value_or(0), layer.attention.scale);
  }
  return text;
}

TEST(GgufExportFamilies, WhatCanBeReadComesBack) {
  const Json golden = GoldenJson("io/gguf_export.json");
  const fs::path path = Scratch("gguf_families") / "m.gguf";
  for (const char* name :
       {"llama_biases", "llama_gqa_tied", "llama_linear_rope_sharded", "llama_plain", "llama_yarn",
        "mistral_window", "qwen2_sharded", "qwen3_biases", "smollm3_nope"}) {
    SCOPED_TRACE(name);
    Json edits = golden[name]["config"];
    edits["use_sliding_window"] = false;  // what is read back has none but Mistral's
    const Model model = LoadModel(OpenCheckpoint(Edited(name, edits)), at::kFloat);
    WriteGguf(*OpenCheckpoint(Edited(name, edits)), path, GgufType::kF32);
    const Model back = LoadModel(OpenCheckpoint(path), at::kFloat);
    EXPECT_EQ(Essence(back), Essence(model));
    ASSERT_EQ(back.weights->tensors().size(), model.weights->tensors().size());
    for (const auto& [tensor, values] : model.weights->tensors()) {
      EXPECT_TRUE(at::equal(back.weights->tensors().at(tensor), values)) << tensor;
    }
  }
}

// The converter of llama.cpp fails on these.
TEST(GgufExportFamilies, NormsOfHeadsAreStacked) {
  const fs::path dir = Scratch("gguf_families");
  const auto source = OpenCheckpoint(TinyPath("stablelm_12b"));
  WriteGguf(*source, dir / "m.gguf", GgufType::kF32);
  const GgufFile file(dir / "m.gguf");
  const GgufTensor* stacked = file.FindTensor("blk.1.attn_k_norm.weight");
  ASSERT_NE(stacked, nullptr);
  ASSERT_EQ(stacked->shape, (std::vector<int64_t>{2, 8}));
  std::vector<float> values(16);
  std::memcpy(values.data(), stacked->bytes.data(), stacked->bytes.size());
  for (int head = 0; head < 2; ++head) {
    const std::string name =
        fmt::format("model.layers.1.self_attn.k_layernorm.norms.{}.weight", head);
    std::vector<float> expected(8);
    ConvertFloats(source->Find(name)->dtype, source->Read(name).bytes, DType::kF32,
                  std::as_writable_bytes(std::span(expected)));
    EXPECT_EQ(std::vector<float>(values.begin() + 8 * head, values.begin() + 8 * head + 8),
              expected);
  }
  // The head is tied, and readers of this architecture want it all the same.
  EXPECT_EQ(ShortDigest(file.FindTensor("output.weight")->bytes),
            ShortDigest(file.FindTensor("token_embd.weight")->bytes));
}

TEST(GgufExportFamilies, SayWhatReadersWouldComputeOtherwise) {
  const fs::path out = Scratch("gguf_families") / "m.gguf";
  const auto error = [&](const char* name, const Json& edits = Json::object()) {
    return ErrorOf([&] { WriteGguf(*OpenCheckpoint(Edited(name, edits)), out, {}); });
  };
  EXPECT_THAT(error("opt_plain"), HasSubstr("no architecture for OPT"));
  EXPECT_THAT(error("mistral_gelu"), HasSubstr("activation is not silu"));
  EXPECT_THAT(error("falcon_sequential"), HasSubstr("side by side"));
  EXPECT_THAT(error("smollm3_listed"), HasSubstr("rotary positions"));
  EXPECT_THAT(error("gemma2_caps"), HasSubstr("attention of layer 0 is scaled"));
  EXPECT_THAT(error("gpt2_scales", {{"activation_function", "gelu_new"}}),
              HasSubstr("is scaled by 1"));
  EXPECT_THAT(error("gemma2_uncapped"), HasSubstr("head is not the embedding"));
  EXPECT_THAT(error("gpt_neox_sequential", {{"hidden_act", "gelu"}}),
              HasSubstr("readers expect all biases"));
  EXPECT_THAT(error("qwen3_biases"), HasSubstr("readers expect no biases"));
  EXPECT_THAT(error("phi_grouped"), HasSubstr("norms of queries and keys that have biases"));
  EXPECT_THAT(error("llama_yarn"), HasSubstr("a range of its own"));
  EXPECT_FALSE(fs::exists(out));
}

}  // namespace
}  // namespace grin
