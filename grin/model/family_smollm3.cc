// SmolLM3: as Llama; in some layers positions play no part ("NoPE").

#include "grin/base/error.h"
#include "grin/model/family.h"

namespace grin {
namespace {

// no_rope_layers holds 1 for layers that do rotate; without it every n-th one does not.
bool Rotates(const ConfigReader& config, const Json* flags, int64_t interval, int64_t layer) {
  if (!flags) return (layer + 1) % interval != 0;
  if (!flags->is_array() || static_cast<int64_t>(flags->size()) <= layer ||
      !(*flags)[static_cast<size_t>(layer)].is_number_integer()) {
    BadInput("model", "{}: 'no_rope_layers' must hold a 0 or a 1 for each layer", config.where());
  }
  return (*flags)[static_cast<size_t>(layer)] != 0;
}

void Configure(const ConfigReader& config, ModelConfig& model) {
  ConfigureAsLlama(config, model, {.theta = 2000000.0});
  model.qkv_bias = model.output_bias = config.Flag("attention_bias", false);
  model.mlp_bias = config.Flag("mlp_bias", false);
  const Json* flags = config.Find("no_rope_layers");
  const int64_t interval = config.Count("no_rope_layer_interval", 4);
  for (int64_t i = 0; i < model.layers; ++i) {
    if (!Rotates(config, flags, interval, i)) model.layer[static_cast<size_t>(i)].rope.reset();
  }
  if (!config.Flag("use_sliding_window", false)) return;
  ReadWindows(config, model, std::nullopt, [&](int64_t layer) {
    return !model.layer[static_cast<size_t>(layer)].rope.has_value();
  });
}

constexpr std::string_view kModelTypes[] = {"smollm3"};

}  // namespace

extern const Family kSmolLm3Family;
const Family kSmolLm3Family = {
    .name = "SmolLM3",
    .model_types = kModelTypes,
    .configure = Configure,
    .tied_embeddings = true,
    .gguf = {.architecture = "smollm3", .paired_rotary = true, .no_rope_step = 4}};

}  // namespace grin
