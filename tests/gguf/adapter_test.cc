// LoRA adapters are read as the checkpoints that peft merges them into
// (tests/data/make_adapter_goldens.py).

#include "grin/model/adapter.h"

#include <gmock/gmock.h>

#include <cmath>

#include "grin/gguf/open_checkpoint.h"
#include "grin/io/model_fingerprint.h"
#include "grin/io/write_checkpoint.h"
#include "tests/model/tiny.h"

namespace grin {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

constexpr const char* kAdapters[] = {"plain",     "patterns",        "fan_in_fan_out",
                                     "dora",      "dora_transposed", "biases",
                                     "lora_bias", "modules_to_save", "embeddings"};

fs::path AdapterData(const std::string& name) {
  return fs::path(GRIN_TEST_DATA) / "adapter" / name;
}

Json AdapterConfig(const std::string& name) {
  return Json::parse(ReadFile(AdapterData(name) / "adapter_config.json"));
}

at::Tensor Widened(std::span<const std::byte> bytes, const TensorInfo& info) {
  at::Tensor wide = at::empty(info.shape, at::kDouble);
  ConvertFloats(info.dtype, bytes, DType::kF64,
                {static_cast<std::byte*>(wide.mutable_data_ptr()), wide.nbytes()});
  return wide;
}

// Half a unit in the last place of the type, relative.
double RoundingOf(DType type) {
  return type == DType::kBF16  ? std::ldexp(1.0, -8)
         : type == DType::kF16 ? std::ldexp(1.0, -11)
                               : std::ldexp(1.0, -24);
}

TEST(Adapter, IsReadAsPeftMergesIt) {
  for (const char* name : kAdapters) {
    const auto merged = OpenCheckpoint(AdapterData(name));
    const auto base = OpenCheckpoint(
        AdapterData(name) / AdapterConfig(name)["base_model_name_or_path"].get<std::string>());
    const SafetensorsFile golden(AdapterData(name) / "merged.safetensors");
    size_t changed = 0;
    ASSERT_EQ(merged->tensors().size(), base->tensors().size());
    for (const TensorInfo& info : merged->tensors()) {
      const TensorBytes here = merged->Read(info.name), there = base->Read(info.name);
      ASSERT_EQ(*base->Find(info.name), info);
      const int64_t at = golden.Find(info.name);
      if (at < 0) {
        EXPECT_TRUE(std::ranges::equal(here.bytes, there.bytes)) << name << " " << info.name;
        continue;
      }
      ++changed;
      const at::Tensor own = Widened(here.bytes, info), peft = Widened(golden.Bytes(at), info);
      // Both round the sum once; the sums in fp32 have a handful of terms in another order.
      const double unit = 2 * RoundingOf(info.dtype) + 8 * RoundingOf(DType::kF32);
      EXPECT_TRUE(own.sub(peft).abs().le(peft.abs() * unit + 1e-7).all().item<bool>())
          << name << " " << info.name << " " << own.sub(peft).abs().max().item<double>();
      EXPECT_GT(own.sub(Widened(there.bytes, info)).abs().max().item<double>(), 1e-3)
          << name << " " << info.name;
    }
    EXPECT_EQ(changed, golden.tensors().size()) << name;
    LoadModel(merged);  // a whole model
  }
}

TEST(Adapter, WritesAWholeCheckpoint) {
  for (const char* name : {"patterns", "modules_to_save"}) {
    const auto merged = OpenCheckpoint(AdapterData(name));
    const fs::path dir = EmptyDirectory("adapter_written");
    WriteCheckpoint(*merged, dir, {});
    const auto written = OpenCheckpoint(dir);
    for (const TensorInfo& info : merged->tensors()) {
      EXPECT_TRUE(
          std::ranges::equal(merged->Read(info.name).bytes, written->Read(info.name).bytes));
    }
    EXPECT_EQ(written->config(), merged->config());
    EXPECT_FALSE(fs::exists(dir / "adapter_config.json"));
  }
}

TEST(Adapter, OfABaseInShards) {
  const fs::path dir = EmptyDirectory("adapter_shards");
  fs::copy(TinyPath("qwen2_sharded"), dir / "base", fs::copy_options::recursive);
  const auto base = OpenCheckpoint(dir / "base");
  const std::string weight = "model.layers.0.self_attn.q_proj";
  const TensorInfo& info = *base->Find(weight + ".weight");
  fs::create_directories(dir / "adapter");
  WriteFile(
      dir / "adapter/adapter_config.json",
      R"({"peft_type": "LORA", "r": 1, "lora_alpha": 1, "base_model_name_or_path": "../base"})");
  SafetensorsWriter writer(
      dir / "adapter/adapter_model.safetensors",
      {{"base_model.model." + weight + ".lora_A.weight", DType::kF32, {1, info.shape[1]}},
       {"base_model.model." + weight + ".lora_B.weight", DType::kF32, {info.shape[0], 1}}});
  for (const int64_t count : {info.shape[1], info.shape[0]}) {
    const std::vector<float> ones(static_cast<size_t>(count), 1.0f);
    writer.Write(std::as_bytes(std::span(ones)));
  }
  writer.Commit();
  const auto merged = OpenCheckpoint(dir / "adapter");
  fs::create_directories(dir / "out");
  WriteCheckpoint(*merged, dir / "out", {});
  const auto written = OpenCheckpoint(dir / "out");
  EXPECT_EQ(written->shards().size(), base->shards().size());
  const at::Tensor before = Widened(base->Read(info.name).bytes, info),
                   after = Widened(written->Read(info.name).bytes, info);
  EXPECT_TRUE(after.sub(before).sub(1).abs().max().item<double>() < 0.02);
}

TEST(Adapter, HasAFingerprintOfItsOwn) {
  const fs::path dir = EmptyDirectory("adapter_prints");
  fs::copy(AdapterData("plain"), dir / "a");
  Json config = AdapterConfig("plain");
  config["base_model_name_or_path"] = fs::absolute(TinyPath("llama_plain")).string();
  WriteFile(dir / "a/adapter_config.json", config.dump());
  const std::string print = ModelFingerprint(*OpenCheckpoint(dir / "a"));
  EXPECT_NE(print, ModelFingerprint(*OpenCheckpoint(TinyPath("llama_plain"))));
  config["lora_alpha"] = 7;
  WriteFile(dir / "a/adapter_config.json", config.dump());
  EXPECT_NE(print, ModelFingerprint(*OpenCheckpoint(dir / "a")));
}

TEST(Adapter, ItsTokenizerGoesBeforeTheBases) {
  const fs::path dir = EmptyDirectory("adapter_tokenizer");
  fs::copy(AdapterData("plain"), dir / "a");
  Json config = AdapterConfig("plain");
  config["base_model_name_or_path"] = fs::absolute(TinyPath("llama_plain")).string();
  WriteFile(dir / "a/adapter_config.json", config.dump());
  WriteFile(dir / "a/tokenizer.json", "{}");
  WriteFile(dir / "a/README.md", "not of the model");
  const auto merged = OpenCheckpoint(dir / "a");
  EXPECT_EQ(merged->TokenizerJson(), "{}");
  EXPECT_FALSE(merged->SideText("README.md"));
  EXPECT_TRUE(merged->SideText("config.json"));
}

// What would be merged otherwise than peft does it is refused with one clear line.
TEST(Adapter, RefusesWhatItCannotMerge) {
  const auto refusal = [](const std::string& name,
                          const std::function<void(Json&, fs::path)>& change) {
    const fs::path dir = EmptyDirectory("adapter_refused") / "a";
    fs::copy(AdapterData(name), dir);
    Json config = AdapterConfig(name);
    config["base_model_name_or_path"] =
        fs::absolute(AdapterData(name) / config["base_model_name_or_path"].get<std::string>())
            .string();
    change(config, dir);
    WriteFile(dir / "adapter_config.json", config.dump());
    return MessageOf([&] { OpenCheckpoint(dir); });
  };
  const auto set = [&](const char* key, const Json& value) {
    return refusal("plain", [&](Json& config, const fs::path&) { config[key] = value; });
  };
  EXPECT_EQ(refusal("plain", [](Json&, const fs::path&) {}), "no error");
  EXPECT_THAT(set("peft_type", "IA3"), HasSubstr("adapter of type IA3; LORA is read"));
  EXPECT_THAT(set("layer_replication", Json::array({Json::array({0, 1})})),
              HasSubstr("layer_replication is set"));
  EXPECT_THAT(set("trainable_token_indices", Json({1, 2})), HasSubstr("trainable_token_indices"));
  EXPECT_THAT(set("init_lora_weights", "pissa_niter_4"), HasSubstr("begun with pissa"));
  EXPECT_EQ(set("init_lora_weights", "gaussian"), "no error");
  EXPECT_THAT(set("r", 5), HasSubstr("the rank 5, its factors have 4"));
  EXPECT_THAT(set("use_dora", true), HasSubstr("use_dora is true"));
  EXPECT_THAT(set("rank_pattern", {{"q_proj", 3}}), HasSubstr("the rank 3"));
  EXPECT_THAT(set("alpha_pattern", {{"(", 3}}), HasSubstr("no regular expression"));
  EXPECT_THAT(set("fan_in_fan_out", "yes"), HasSubstr("fan_in_fan_out"));
  EXPECT_THAT(set("base_model_name_or_path", "/no/where"),
              HasSubstr("its base /no/where is not there"));
  EXPECT_THAT(set("base_model_name_or_path", nullptr), HasSubstr("base_model_name_or_path"));
  EXPECT_NE(set("base_model_name_or_path", "nobody/nothing"), "no error");
  EXPECT_THAT(set("base_model_name_or_path", fs::absolute(TinyPath("gpt2_body")).string()),
              HasSubstr("does not have"));
  EXPECT_THAT(set("base_model_name_or_path", fs::absolute(TinyPath("llama_biases")).string()),
              HasSubstr("does not fit"));
  EXPECT_THAT(refusal("modules_to_save",
                      [](Json& config, const fs::path&) {
                        config["base_model_name_or_path"] =
                            fs::absolute(TinyPath("llama_gqa_tied")).string();
                      }),
              HasSubstr("tied"));
  EXPECT_THAT(refusal("plain",
                      [](Json&, const fs::path& dir) {
                        fs::rename(dir / "adapter_model.safetensors", dir / "adapter_model.bin");
                      }),
              HasSubstr("only safetensors is read"));
  EXPECT_THAT(refusal("plain",
                      [](Json&, const fs::path& dir) {
                        SafetensorsWriter writer(
                            dir / "adapter_model.safetensors",
                            {{"base_model.model.model.norm.lora_C.weight", DType::kF32, {1}}});
                        const float one = 1;
                        writer.Write(std::as_bytes(std::span(&one, 1)));
                        writer.Commit();
                      }),
              HasSubstr("is of no kind that is read"));
}

}  // namespace
}  // namespace grin
