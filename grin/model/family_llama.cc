// Llama 1/2/3.x, SmolLM2, Mistral and Zephyr: RMS norms, rotary positions, gated MLP, grouped
// queries.

#include "grin/model/family.h"

namespace grin {
namespace {

constexpr std::string_view kModelTypes[] = {"llama", "mistral"};

void Configure(const ConfigReader& config, ModelConfig& model) {
  ConfigureAsLlama(config, model);
  if (config.Text("model_type", "") == "mistral") {
    return ReadWindows(config, model, 4096, [](int64_t) { return true; });
  }
  model.qkv_bias = model.output_bias = config.Flag("attention_bias", false);
  model.mlp_bias = config.Flag("mlp_bias", false);
}

}  // namespace

extern const Family kLlamaFamily;
const Family kLlamaFamily = {
    .name = "Llama",
    .model_types = kModelTypes,
    .configure = Configure,
    .gguf = {
        .architecture = "llama", .paired_rotary = true, .biases = GgufTraits::Biases::kOptional}};

}  // namespace grin
