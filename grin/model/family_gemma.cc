// Gemma 1, 2 and 3 (text): norms add 1 to their weight, embeddings are scaled by sqrt(hidden). From
// 2 on norms also follow attention and MLP, and layers with and without a window alternate; 2 caps
// scores and logits, 3 has norms on queries and keys and a rotary base of its own for windows.

#include <cmath>

#include "grin/model/family.h"

namespace grin {
namespace {

void ConfigureShared(const ConfigReader& config, ModelConfig& model) {
  model.names = LlamaNames();
  model.norm = {.epsilon = config.Real("rms_norm_eps", 1e-6), .offset = 1.0};
  model.embedding_scale = std::sqrt(static_cast<double>(model.hidden));
  model.qkv_bias = model.output_bias = config.Flag("attention_bias", false);
}

void ConfigureGemma1(const ConfigReader& config, ModelConfig& model) {
  ConfigureShared(config, model);
  ReadRope(config, model);
  // "gelu" in the first configs was meant as the tanh form.
  if (model.activation == Activation::kGelu) model.activation = Activation::kGeluTanh;
}

// Layers see a window but for every `period`-th.
void ConfigureLater(const ConfigReader& config, ModelConfig& model, int64_t period) {
  ConfigureShared(config, model);
  BlockNames& block = model.names.block;
  block.attention_out_norm = "post_attention_layernorm";
  block.mlp_norm = "pre_feedforward_layernorm";
  block.mlp_out_norm = "post_feedforward_layernorm";
  ReadWindows(config, model, 4096, [=](int64_t layer) { return (layer + 1) % period != 0; });
  const double scale = 1.0 / std::sqrt(config.Real("query_pre_attn_scalar", 256.0));
  for (LayerConfig& layer : model.layer) layer.attention.scale = scale;
}

void ConfigureGemma2(const ConfigReader& config, ModelConfig& model) {
  ConfigureLater(config, model, 2);
  ReadRope(config, model);
  const auto cap = [&](const char* key, double absent) {
    return config.Has(key) ? config.Real(key) : std::optional(absent);
  };
  model.final_softcap = cap("final_logit_softcapping", 30.0);
  for (LayerConfig& layer : model.layer) {
    layer.attention.softcap = cap("attn_logit_softcapping", 50.0);
  }
}

void ConfigureGemma3(const ConfigReader& config, ModelConfig& model) {
  ConfigureLater(config, model, config.Count("sliding_window_pattern", 6));
  model.names.block.q_norm = {"self_attn.q_norm"};
  model.names.block.k_norm = {"self_attn.k_norm"};
  model.final_softcap = config.Real("final_logit_softcapping");
  const RopeDefaults global = {.theta = 1000000.0};
  const RopeDefaults local = {.theta = 10000.0, .theta_key = "rope_local_base_freq"};
  // transformers 5 has both in rope_parameters; before, only the global one could be scaled.
  const Json* both = config.Find("rope_parameters");
  const auto inner = [&](const char* key) -> const Json* {
    return both && both->contains(key) ? &both->at(key) : nullptr;
  };
  const Json* scaling = config.Find("rope_scaling");
  model.ropes = {
      ReadRopeSettings(config, scaling ? scaling : inner("full_attention"), model, global),
      ReadRopeSettings(config, inner("sliding_attention"), model, local)};
  for (LayerConfig& layer : model.layer) {
    layer.rope = layer.attention.window ? 1 : 0;
    layer.attention.softcap = config.Real("attn_logit_softcapping");
  }
}

constexpr std::string_view kGemma1[] = {"gemma"};
constexpr std::string_view kGemma2[] = {"gemma2"};
constexpr std::string_view kGemma3[] = {"gemma3_text"};

}  // namespace

extern const Family kGemma1Family, kGemma2Family, kGemma3Family;
const Family kGemma1Family = {.name = "Gemma",
                              .model_types = kGemma1,
                              .configure = ConfigureGemma1,
                              .activation = "gelu_pytorch_tanh",
                              .tied_embeddings = true,
                              .head_dim = 256,
                              .gguf = {.architecture = "gemma", .head = GgufTraits::Head::kTied}};
const Family kGemma2Family = {.name = "Gemma 2",
                              .model_types = kGemma2,
                              .configure = ConfigureGemma2,
                              .keys = {.activation = "hidden_activation"},
                              .activation = "gelu_pytorch_tanh",
                              .tied_embeddings = true,
                              .head_dim = 256,
                              .gguf = {.architecture = "gemma2",
                                       .windows = true,
                                       .head = GgufTraits::Head::kTied,
                                       .layers_scaled_by_width = 46}};
const Family kGemma3Family = {
    .name = "Gemma 3",
    .model_types = kGemma3,
    .configure = ConfigureGemma3,
    .keys = {.activation = "hidden_activation"},
    .activation = "gelu_pytorch_tanh",
    .tied_embeddings = true,
    .head_dim = 256,
    .gguf = {.architecture = "gemma3", .windows = true, .layers_scaled_by_width = 62}};

}  // namespace grin
