#pragma once
// A checkpoint with random weights and a byte-level tokenizer of our own, written for a test.

#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include "grin/base/atomic_file.h"
#include "grin/io/safetensors.h"
#include "tests/model/tiny.h"

namespace grin {

struct Toy {
  at::ScalarType dtype = at::kFloat;
  std::string tokenizer = "byte_level";  // a file of tests/data/tokenizers
  std::string end_token = "<|endoftext|>";
  std::string chat_template;  // none when empty
  int64_t context = 128;
  uint64_t seed = 1;
};

// ChatML, as many models have it.
inline constexpr const char* kToyChat =
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}"
    "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

// Two layers of width 24 over 704 tokens.
inline void WriteToy(const std::filesystem::path& dir, const Toy& toy = {}) {
  constexpr int64_t kWidth = 24, kInner = 40, kVocabulary = 704, kLayers = 2;
  std::filesystem::create_directories(dir);
  const Json config = {{"model_type", "llama"},
                       {"architectures", {"LlamaForCausalLM"}},
                       {"hidden_size", kWidth},
                       {"intermediate_size", kInner},
                       {"num_hidden_layers", kLayers},
                       {"num_attention_heads", 4},
                       {"num_key_value_heads", 2},
                       {"vocab_size", kVocabulary},
                       {"max_position_embeddings", toy.context},
                       {"rms_norm_eps", 1e-5},
                       {"eos_token_id", 0}};
  WriteFile(dir / "config.json", config.dump(1) + "\n");

  at::manual_seed(toy.seed);
  std::vector<TensorInfo> infos;
  std::vector<at::Tensor> values;
  const auto add = [&](const std::string& name, std::vector<int64_t> shape) {
    const at::Tensor value = shape.size() == 1
                                 ? at::ones(shape)
                                 : at::randn(shape) * (name.find("embed") != std::string::npos
                                                           ? 0.7
                                                           : 1.2 / std::sqrt(double(shape[1])));
    const DType type = toy.dtype == at::kBFloat16 ? DType::kBF16
                       : toy.dtype == at::kHalf   ? DType::kF16
                                                  : DType::kF32;
    infos.push_back({name + ".weight", type, shape});
    values.push_back(value.to(toy.dtype).contiguous());
  };
  add("model.embed_tokens", {kVocabulary, kWidth});
  for (int64_t layer = 0; layer < kLayers; ++layer) {
    const std::string prefix = "model.layers." + std::to_string(layer) + ".";
    add(prefix + "input_layernorm", {kWidth});
    add(prefix + "self_attn.q_proj", {kWidth, kWidth});
    add(prefix + "self_attn.k_proj", {kWidth / 2, kWidth});
    add(prefix + "self_attn.v_proj", {kWidth / 2, kWidth});
    add(prefix + "self_attn.o_proj", {kWidth, kWidth});
    add(prefix + "post_attention_layernorm", {kWidth});
    add(prefix + "mlp.gate_proj", {kInner, kWidth});
    add(prefix + "mlp.up_proj", {kInner, kWidth});
    add(prefix + "mlp.down_proj", {kWidth, kInner});
  }
  add("model.norm", {kWidth});
  add("lm_head", {kVocabulary, kWidth});
  SafetensorsWriter writer(dir / "model.safetensors", infos, {{"format", "pt"}});
  for (const at::Tensor& value : values) {
    writer.Write({static_cast<const std::byte*>(value.const_data_ptr()), value.nbytes()});
  }
  writer.Commit();

  if (!toy.tokenizer.empty()) {
    std::filesystem::copy_file(
        std::filesystem::path(GRIN_TEST_DATA) / "tokenizers" / (toy.tokenizer + ".json"),
        dir / "tokenizer.json");
  }
  // A class that takes tokenizer.json as it stands.
  Json tokenizer_config = {{"tokenizer_class", "PreTrainedTokenizerFast"},
                           {"eos_token", toy.end_token}};
  if (!toy.chat_template.empty()) tokenizer_config["chat_template"] = toy.chat_template;
  WriteFile(dir / "tokenizer_config.json", tokenizer_config.dump(1) + "\n");
}

// The same in a directory of its own, emptied first.
inline std::filesystem::path MakeToy(const std::string& name, const Toy& toy = {}) {
  const auto dir = EmptyDirectory(name);
  WriteToy(dir, toy);
  return dir;
}

}  // namespace grin
