// Qwen2, Qwen2.5 and Qwen3: as Llama, with biases on queries, keys and values (2), or norms on the
// queries and keys of each head (3), and windows in the upper layers where they are switched on.

#include "grin/model/family.h"

namespace grin {
namespace {

void ConfigureWindows(const ConfigReader& config, ModelConfig& model) {
  if (!config.Flag("use_sliding_window", false)) return;
  const int64_t full = config.CountOrZero("max_window_layers", 28);
  ReadWindows(config, model, 4096, [=](int64_t layer) { return layer >= full; });
}

void ConfigureQwen2(const ConfigReader& config, ModelConfig& model) {
  ConfigureAsLlama(config, model);
  ConfigureWindows(config, model);
  model.qkv_bias = true;
}

void ConfigureQwen3(const ConfigReader& config, ModelConfig& model) {
  ConfigureAsLlama(config, model);
  ConfigureWindows(config, model);
  model.names.block.q_norm = {"self_attn.q_norm"};
  model.names.block.k_norm = {"self_attn.k_norm"};
  model.qkv_bias = model.output_bias = config.Flag("attention_bias", false);
}

constexpr std::string_view kQwen2[] = {"qwen2"};
constexpr std::string_view kQwen3[] = {"qwen3"};

}  // namespace

extern const Family kQwen2Family, kQwen3Family;
const Family kQwen2Family = {.name = "Qwen2",
                             .model_types = kQwen2,
                             .configure = ConfigureQwen2,
                             .gguf = {.architecture = "qwen2"}};
const Family kQwen3Family = {.name = "Qwen3",
                             .model_types = kQwen3,
                             .configure = ConfigureQwen3,
                             .head_dim = 128,
                             .gguf = {.architecture = "qwen3"}};

}  // namespace grin
