// What LoadModel and ParseModelConfig refuse, and how they say so.

#include <gmock/gmock.h>

#include <fstream>
#include <functional>

#include "grin/io/safetensors.h"
#include "tests/model/tiny.h"

namespace grin {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// A copy of a tiny checkpoint with other tensors: `change` may drop one (false) or reshape it.
std::filesystem::path Changed(const std::string& name,
                              const std::function<bool(TensorInfo&)>& change) {
  const auto source = Checkpoint::Open(TinyPath(name));
  const auto dir = EmptyDirectory("model_" + name);
  std::filesystem::copy_file(TinyPath(name) / "config.json", dir / "config.json");
  std::vector<TensorInfo> infos;
  std::vector<TensorBytes> bytes;
  for (TensorInfo info : source->tensors()) {
    const TensorBytes stored = source->Read(info.name);
    if (!change(info)) continue;
    infos.push_back(info);
    bytes.push_back(stored);
  }
  SafetensorsWriter writer(dir / "model.safetensors", infos);
  for (const TensorBytes& b : bytes) writer.Write(b.bytes);
  writer.Commit();
  return dir;
}

std::string LoadError(const std::filesystem::path& path) {
  return MessageOf([&] { LoadModel(Checkpoint::Open(path)); });
}

TEST(LoadModel, NamesAMissingTensor) {
  const auto dir = Changed("llama_plain", [](const TensorInfo& info) {
    return info.name != "model.layers.1.mlp.up_proj.weight";
  });
  EXPECT_THAT(LoadError(dir), AllOf(HasSubstr("model.layers.1.mlp.up_proj.weight is missing"),
                                    HasSubstr(dir.string())));
}

TEST(LoadModel, NamesAWrongShape) {
  const auto dir = Changed("llama_plain", [](TensorInfo& info) {
    if (info.name == "model.layers.0.mlp.down_proj.weight") std::swap(info.shape[0], info.shape[1]);
    return true;
  });
  EXPECT_THAT(LoadError(dir),
              AllOf(HasSubstr("model.layers.0.mlp.down_proj.weight has shape [44, 32]"),
                    HasSubstr("config.json makes it [32, 44]")));
}

TEST(LoadModel, NamesATensorThatIsNotOfFloats) {
  const auto dir = Changed("llama_plain", [](TensorInfo& info) {
    if (info.name == "model.norm.weight") info.dtype = DType::kI32;
    return true;
  });
  EXPECT_THAT(LoadError(dir), AllOf(HasSubstr("model.norm.weight"), HasSubstr("I32")));
}

TEST(LoadModel, TakesMixedTypes) {
  // The norms of a bf16 checkpoint as F32 give what bf16 norms give: the values are the same.
  const auto source = Checkpoint::Open(TinyPath("llama3_rope"));
  const auto dir = EmptyDirectory("model_mixed");
  std::filesystem::copy_file(TinyPath("llama3_rope") / "config.json", dir / "config.json");
  std::vector<TensorInfo> infos;
  std::vector<at::Tensor> values;
  for (TensorInfo info : source->tensors()) {
    at::Tensor value = StoredTensor(*source, info);
    if (info.shape.size() == 1) {
      value = value.to(at::kFloat);
      info.dtype = DType::kF32;
    }
    infos.push_back(info);
    values.push_back(value.contiguous());
  }
  SafetensorsWriter writer(dir / "model.safetensors", infos);
  for (const at::Tensor& value : values) {
    writer.Write({static_cast<const std::byte*>(value.const_data_ptr()), value.nbytes()});
  }
  writer.Commit();
  const Model mixed = LoadModel(Checkpoint::Open(dir));
  EXPECT_EQ(mixed.weights->dtype(), at::kBFloat16);
  const Model model = LoadModel(source);
  for (const auto& [name, tensor] : model.weights->tensors()) {
    EXPECT_TRUE(at::equal(mixed.weights->tensors().at(name), tensor)) << name;
  }
}

class ConfigTest : public ::testing::Test {
 protected:
  Json config_ = Json::parse(ReadFile(TinyPath("llama_plain") / "config.json"));

  std::string Message() const {
    return MessageOf([&] { ParseModelConfig(config_, "config.json"); });
  }
};

TEST_F(ConfigTest, ListsTheKnownArchitectures) {
  config_["model_type"] = "cohere";
  EXPECT_THAT(Message(),
              AllOf(HasSubstr("'cohere' is not supported"), HasSubstr("llama, mistral")));
  config_.erase("model_type");
  EXPECT_THAT(Message(), HasSubstr("'model_type' is missing"));
}

TEST_F(ConfigTest, RefusesImpossibleNumbers) {
  for (const char* key :
       {"hidden_size", "num_hidden_layers", "num_attention_heads", "vocab_size"}) {
    Json saved = config_;
    config_.erase(key);
    EXPECT_THAT(Message(), AllOf(HasSubstr(key), HasSubstr("missing")));
    for (const Json& value : {Json(0), Json(-4), Json(2.5), Json("32"), Json::array()}) {
      config_[key] = value;
      EXPECT_THAT(Message(), AllOf(HasSubstr(fmt::format("config.json: {} is ", key)),
                                   HasSubstr("expected a positive whole number")));
    }
    config_ = saved;
  }
  config_["num_key_value_heads"] = 3;
  EXPECT_THAT(Message(), HasSubstr("4 attention heads cannot share 3"));
  config_["num_key_value_heads"] = 4;
  config_["head_dim"] = 7;
  EXPECT_THAT(Message(), HasSubstr("7 of the 7 dimensions of a head would be rotary"));
  config_.erase("head_dim");
  config_["num_attention_heads"] = 64;
  config_["num_key_value_heads"] = 64;
  EXPECT_THAT(Message(), HasSubstr("a width of 32 cannot be shared by 64 heads"));
  config_["num_attention_heads"] = 4;
  config_["num_key_value_heads"] = 4;
  config_["num_hidden_layers"] = 2'000'000'000;
  EXPECT_THAT(Message(), HasSubstr("'num_hidden_layers' is 2000000000; no model has more"));
}

TEST_F(ConfigTest, NamesWhatIsNotSupported) {
  Json saved = config_;
  config_["hidden_act"] = "tanh";
  EXPECT_THAT(Message(), HasSubstr("hidden_act 'tanh'"));
  config_ = saved;
  config_["rope_scaling"] = {{"rope_type", "axial"}, {"factor", 4.0}};
  EXPECT_THAT(Message(), HasSubstr("'axial' is not supported"));
  config_["rope_scaling"] = {{"rope_type", "linear"}};
  EXPECT_THAT(Message(), HasSubstr("'linear' has no 'factor'"));
  config_["rope_scaling"] = {
      {"rope_type", "longrope"}, {"short_factor", {1.0, 2.0}}, {"long_factor", {1.0, 2.0}}};
  EXPECT_THAT(Message(), HasSubstr("must hold 4 numbers each, not 2"));
  config_ = saved;
  config_["quantization_config"] = {{"quant_method", "gptq"}};
  EXPECT_THAT(Message(), HasSubstr("quantised (gptq)"));
}

// Who writes a factor means a rule: without its name it is none that is known.
TEST_F(ConfigTest, RotarySettingsThatNameNoTypeAreRefused) {
  const Json saved = config_;
  for (const char* key : {"rope_scaling", "rope_parameters"}) {
    for (const char* settings :
         {R"({"factor": 4.0})", R"({"type": null, "factor": 4.0})",
          R"({"rope_type": null, "type": null, "low_freq_factor": 1.0, "factor": 8.0})",
          R"({"rope_theta": 10000.0, "factor": 2.0})", R"({"alpha": 1000.0})",
          R"({"short_factor": [1, 1], "long_factor": [1, 1]})",
          R"({"original_max_position_embeddings": 32})"}) {
      config_ = saved;
      config_[key] = Json::parse(settings);
      EXPECT_THAT(Message(), AllOf(HasSubstr("name no type"), HasSubstr("rope_scaling"),
                                   HasSubstr("linear, llama3")))
          << settings;
    }
    for (const char* settings :
         {"null", "{}", R"({"type": null})", R"({"rope_type": "default"})",
          R"({"rope_theta": 5000.0, "partial_rotary_factor": 0.5})", R"({"type": "mrope"})",
          R"({"type": "mrope", "rope_type": "default", "mrope_section": [1, 1, 2]})"}) {
      config_ = saved;
      config_[key] = Json::parse(settings);
      EXPECT_EQ(Message(), "no error") << settings;
    }
  }
  config_ = saved;
  config_["rope_scaling"] = {{"type", "linear"}, {"rope_type", "dynamic"}, {"factor", 2.0}};
  EXPECT_THAT(Message(), HasSubstr("name two types"));
  for (const char* type : {"linear", "dynamic", "llama3"}) {
    config_["rope_scaling"] = {{"type", type}, {"factor", nullptr}};
    EXPECT_THAT(Message(), HasSubstr(std::string("'") + type + "' has no 'factor'"));
  }
  config_["rope_scaling"] = {{"type", "llama3"}, {"factor", 8.0}, {"low_freq_factor", 1.0}};
  EXPECT_THAT(Message(), HasSubstr("'llama3' has no 'high_freq_factor'"));
  config_["rope_scaling"] = {{"type", "linear"}, {"factor", "4"}};
  EXPECT_THAT(Message(), HasSubstr("factor is '4', expected a positive number"));
  config_["rope_scaling"] = "linear";
  EXPECT_THAT(Message(), HasSubstr("must be an object"));
}

TEST_F(ConfigTest, SaysWhatOtherCheckpointsAre) {
  const Json saved = config_;
  config_["model_type"] = "mixtral";
  EXPECT_THAT(Message(), HasSubstr("'mixtral' is a mixture of experts"));
  config_["model_type"] = "roberta";
  EXPECT_THAT(Message(), HasSubstr("'roberta' is an encoder"));
  config_["model_type"] = "t5";
  EXPECT_THAT(Message(), HasSubstr("'t5' is an encoder-decoder"));
  config_["model_type"] = "gemma3";
  EXPECT_THAT(Message(), HasSubstr("'gemma3' is a model of text and images"));
  config_["model_type"] = "newer_moe";
  config_["num_local_experts"] = 8;
  EXPECT_THAT(Message(), HasSubstr("a mixture of experts (num_local_experts is 8)"));
  config_ = saved;
  config_["architectures"] = {"LlamaForSequenceClassification"};
  EXPECT_THAT(Message(), HasSubstr("LlamaForSequenceClassification"));
}

TEST_F(ConfigTest, RefusesVariantsByName) {
  config_ = Json::parse(ReadFile(TinyPath("falcon_7b") / "config.json"));
  config_["alibi"] = true;
  EXPECT_THAT(Message(), HasSubstr("alibi"));
  config_ = Json::parse(ReadFile(TinyPath("gpt2_body") / "config.json"));
  config_["add_cross_attention"] = true;
  EXPECT_THAT(Message(), HasSubstr("add_cross_attention"));
  config_ = Json::parse(ReadFile(TinyPath("gemma3_listed") / "config.json"));
  config_["layer_types"][1] = "chunked_attention";
  EXPECT_THAT(Message(), HasSubstr("'layer_types' holds \"chunked_attention\""));
  config_["layer_types"] = {"full_attention"};
  EXPECT_THAT(Message(), HasSubstr("'layer_types' must list the 3 layers"));
}

TEST(LoadModel, LeavesBuffersAndUnusedTensorsInTheCheckpoint) {
  const Model gpt2 = LoadTiny("gpt2_body");
  EXPECT_NE(gpt2.weights->checkpoint().Find("h.0.attn.masked_bias"), nullptr);
  EXPECT_FALSE(gpt2.weights->tensors().contains("h.0.attn.masked_bias"));
  EXPECT_TRUE(gpt2.weights->tensors().contains("h.0.attn.c_attn.weight"));
}

TEST(LoadModel, ListsFusedMatricesOnce) {
  EXPECT_THAT(
      LoadTiny("gpt2_body").BlockMatrices(),
      ElementsAre("h.0.attn.c_attn.weight", "h.0.attn.c_proj.weight", "h.0.mlp.c_fc.weight",
                  "h.0.mlp.c_proj.weight", "h.1.attn.c_attn.weight", "h.1.attn.c_proj.weight",
                  "h.1.mlp.c_fc.weight", "h.1.mlp.c_proj.weight"));
  EXPECT_EQ(LoadTiny("phi3_longrope").BlockMatrices().size(), 2u * 4);
  EXPECT_EQ(LoadTiny("llama_plain").BlockMatrices().size(), 2u * 7);
}

TEST_F(ConfigTest, ReadsOneOrSeveralEndTokens) {
  config_["eos_token_id"] = 2;
  EXPECT_THAT(ParseModelConfig(config_, "").end_tokens, ElementsAre(2));
  config_["eos_token_id"] = {3, 5, 7};
  EXPECT_THAT(ParseModelConfig(config_, "").end_tokens, ElementsAre(3, 5, 7));
  config_["eos_token_id"] = nullptr;
  EXPECT_THAT(ParseModelConfig(config_, "").end_tokens, ::testing::IsEmpty());
}

}  // namespace
}  // namespace grin
