#include <cmath>

#include "grin/base/error.h"
#include "grin/model/family.h"

namespace grin {
namespace {

// Llama 1/2/3.x, SmolLM2, Mistral and Zephyr: RMS norms, rotary positions, gated MLP, grouped
// queries.

void ConfigureLlama(const JsonFields& config, ModelConfig& model) {
  ConfigureAsLlama(config, model);
  if (config.String("model_type", "") == "mistral") {
    return ReadWindows(config, model, 4096, [](int64_t) { return true; });
  }
  model.qkv_bias = model.output_bias = config.Bool("attention_bias", false);
  model.mlp_bias = config.Bool("mlp_bias", false);
}

// Qwen2, Qwen2.5 and Qwen3: as Llama, with biases on queries, keys and values (2), or norms on the
// queries and keys of each head (3), and windows in the upper layers where they are switched on.

void ReadQwenWindows(const JsonFields& config, ModelConfig& model) {
  if (!config.Bool("use_sliding_window", false)) return;
  const int64_t full = config.CountOrZero("max_window_layers", 28);
  ReadWindows(config, model, 4096, [=](int64_t layer) { return layer >= full; });
}

void ConfigureQwen2(const JsonFields& config, ModelConfig& model) {
  ConfigureAsLlama(config, model);
  ReadQwenWindows(config, model);
  model.qkv_bias = true;
}

void ConfigureQwen3(const JsonFields& config, ModelConfig& model) {
  ConfigureAsLlama(config, model);
  ReadQwenWindows(config, model);
  model.names.block.q_norm = {"self_attn.q_norm"};
  model.names.block.k_norm = {"self_attn.k_norm"};
  model.qkv_bias = model.output_bias = config.Bool("attention_bias", false);
}

// Gemma 1, 2 and 3 (text): norms add 1 to their weight, embeddings are scaled by sqrt(hidden). From
// 2 on norms also follow attention and MLP, and layers with and without a window alternate; 2 caps
// scores and logits, 3 has norms on queries and keys and a rotary base of its own for windows.

void ConfigureGemma(const JsonFields& config, ModelConfig& model) {
  model.names = LlamaNames();
  model.norm = {.epsilon = config.Real("rms_norm_eps", 1e-6), .offset = 1.0};
  model.embedding_scale = std::sqrt(static_cast<double>(model.hidden));
  model.qkv_bias = model.output_bias = config.Bool("attention_bias", false);
}

void ConfigureGemma1(const JsonFields& config, ModelConfig& model) {
  ConfigureGemma(config, model);
  ReadRope(config, model);
  // "gelu" in the first configs was meant as the tanh form.
  if (model.activation == Activation::kGelu) model.activation = Activation::kGeluTanh;
}

// Layers see a window but for every `period`-th.
void ConfigureLaterGemma(const JsonFields& config, ModelConfig& model, int64_t period) {
  ConfigureGemma(config, model);
  BlockNames& block = model.names.block;
  block.attention_out_norm = "post_attention_layernorm";
  block.mlp_norm = "pre_feedforward_layernorm";
  block.mlp_out_norm = "post_feedforward_layernorm";
  ReadWindows(config, model, 4096, [=](int64_t layer) { return (layer + 1) % period != 0; });
  const double scale = 1.0 / std::sqrt(config.Real("query_pre_attn_scalar", 256.0));
  for (LayerConfig& layer : model.layer) layer.attention.scale = scale;
}

void ConfigureGemma2(const JsonFields& config, ModelConfig& model) {
  ConfigureLaterGemma(config, model, 2);
  ReadRope(config, model);
  const auto cap = [&](const char* key, double absent) {
    return config.Has(key) ? config.Real(key) : std::optional(absent);
  };
  model.final_softcap = cap("final_logit_softcapping", 30.0);
  for (LayerConfig& layer : model.layer) {
    layer.attention.softcap = cap("attn_logit_softcapping", 50.0);
  }
}

void ConfigureGemma3(const JsonFields& config, ModelConfig& model) {
  ConfigureLaterGemma(config, model, config.Count("sliding_window_pattern", 6));
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

// Phi-1, 1.5 and 2: MLP beside attention behind one layer norm, a plain MLP, biases everywhere, and
// rotary positions on a part of each head.

void ConfigurePhi(const JsonFields& config, ModelConfig& model) {
  model.names = LlamaNames();
  model.names.final_norm = "final_layernorm";
  BlockNames& block = model.names.block;
  block.o = "self_attn.dense";
  block.mlp_norm = block.gate = "";
  block.up = "mlp.fc1";
  block.down = "mlp.fc2";
  if (config.Bool("qk_layernorm", false)) {
    block.q_norm = {"self_attn.q_layernorm"};
    block.k_norm = {"self_attn.k_layernorm"};
  }
  model.norm = {.kind = NormConfig::Kind::kLayer,
                .epsilon = config.Real("layer_norm_eps", 1e-5),
                .bias = true};
  model.qk_norm_bias = true;
  model.parallel_residual = true;
  model.qkv_bias = model.output_bias = model.mlp_bias = model.head_bias = true;
  ReadRope(config, model, {.rotated_share = 0.5});
}

// Phi-3 and 3.5: as Llama, with query, key and value in one matrix, gate and up in another, and
// frequencies that depend on the length of the sequence (longrope).

void ConfigurePhi3(const JsonFields& config, ModelConfig& model) {
  ConfigureAsLlama(config, model, {.original_context = 4096});
  model.norm.epsilon = config.Real("rms_norm_eps", 1e-5);
  BlockNames& block = model.names.block;
  block.q = block.k = block.v = "";
  block.qkv = "self_attn.qkv_proj";
  block.gate = block.up = "";
  block.gate_up = "mlp.gate_up_proj";
  ReadWindows(config, model, std::nullopt, [](int64_t) { return true; });
}

// Falcon: MLP beside attention, query, key and value in one matrix by groups, layer norms, a plain
// MLP. The three architectures differ in their groups and in who has a norm of its own.

void ConfigureFalcon(const JsonFields& config, ModelConfig& model) {
  if (config.Bool("alibi", false)) {
    BadInput("model", "{}: positions by alibi are not supported, only rotary ones", config.where());
  }
  const bool grouped = config.Bool("new_decoder_architecture", false);
  const bool parallel = grouped || config.Bool("parallel_attn", true);
  model.kv_heads = grouped                            ? config.Count("num_kv_heads", model.heads)
                   : config.Bool("multi_query", true) ? 1
                                                      : model.heads;
  if (model.heads % model.kv_heads != 0) {
    BadInput("model", "{}: {} attention heads cannot share {} key-value heads evenly",
             config.where(), model.heads, model.kv_heads);
  }
  model.names = {.prefixes = {"transformer.", ""},
                 .embedding = "word_embeddings",
                 .layers = "h",
                 .block = {.input_norm = "input_layernorm",
                           .qkv = "self_attention.query_key_value",
                           .o = "self_attention.dense",
                           .up = "mlp.dense_h_to_4h",
                           .down = "mlp.dense_4h_to_h"},
                 .final_norm = "ln_f"};
  if (grouped && config.Count("num_ln_in_parallel_attn", 2) == 2) {
    model.names.block.input_norm = "ln_attn";
    model.names.block.mlp_norm = "ln_mlp";
  } else if (!parallel) {
    model.names.block.mlp_norm = "post_attention_layernorm";
  }
  model.norm = {.kind = NormConfig::Kind::kLayer,
                .epsilon = config.Real("layer_norm_epsilon", 1e-5),
                .bias = true};
  model.padding_token.reset();
  model.parallel_residual = parallel;
  model.qkv_layout = QkvLayout::kGroups;
  model.qkv_bias = model.output_bias = model.mlp_bias = config.Bool("bias", false);
  ReadRope(config, model);
}

// GPT-2: learned positions, layer norms, a plain MLP, biases everywhere; matrices are stored
// [in, out], query, key and value in one.

void ConfigureGpt2(const JsonFields& config, ModelConfig& model) {
  if (config.Bool("add_cross_attention", false)) {
    BadInput("model", "{}: add_cross_attention is set; only decoders on their own are supported",
             config.where());
  }
  model.names = {.prefixes = {"transformer.", ""},
                 .embedding = "wte",
                 .positions = "wpe",
                 .layers = "h",
                 .block = {.input_norm = "ln_1",
                           .qkv = "attn.c_attn",
                           .o = "attn.c_proj",
                           .mlp_norm = "ln_2",
                           .up = "mlp.c_fc",
                           .down = "mlp.c_proj"},
                 .final_norm = "ln_f"};
  model.norm = {.kind = NormConfig::Kind::kLayer,
                .epsilon = config.Real("layer_norm_epsilon", 1e-5),
                .bias = true};
  model.padding_token.reset();
  model.transposed_matrices = true;
  model.qkv_bias = model.output_bias = model.mlp_bias = true;
  const bool scaled = config.Bool("scale_attn_weights", true);
  const bool by_layer = config.Bool("scale_attn_by_inverse_layer_idx", false);
  for (size_t i = 0; i < model.layer.size(); ++i) {
    double& scale = model.layer[i].attention.scale;
    if (!scaled) scale = 1.0;
    if (by_layer) scale /= static_cast<double>(i + 1);
  }
}

// GPT-NeoX and Pythia: MLP beside attention behind a layer norm each, query, key and value of a
// head side by side in one matrix, rotary positions on a part of each head.

void ConfigureGptNeox(const JsonFields& config, ModelConfig& model) {
  model.names = {.prefixes = {"gpt_neox.", ""},
                 .embedding = "embed_in",
                 .block = {.input_norm = "input_layernorm",
                           .qkv = "attention.query_key_value",
                           .o = "attention.dense",
                           .mlp_norm = "post_attention_layernorm",
                           .up = "mlp.dense_h_to_4h",
                           .down = "mlp.dense_4h_to_h"},
                 .final_norm = "final_layer_norm",
                 .heads = {"embed_out", "lm_head"}};
  model.norm = {.kind = NormConfig::Kind::kLayer,
                .epsilon = config.Real("layer_norm_eps", 1e-5),
                .bias = true};
  model.padding_token.reset();
  model.parallel_residual = config.Bool("use_parallel_residual", true);
  model.qkv_layout = QkvLayout::kGroups;
  model.qkv_bias = model.output_bias = config.Bool("attention_bias", true);
  model.mlp_bias = true;
  ReadRope(config, model,
           {.rotated_share = 0.25, .theta_key = "rotary_emb_base", .share_key = "rotary_pct"});
}

// OPT: learned positions that start at row 2, layer norms, a plain MLP. The 350M variant has its
// norms behind the sums and an embedding narrower than its blocks.

void ConfigureOpt(const JsonFields& config, ModelConfig& model) {
  model.names = {.embedding = "decoder.embed_tokens",
                 .positions = "decoder.embed_positions",
                 .layers = "decoder.layers",
                 .block = {.q = "self_attn.q_proj",
                           .k = "self_attn.k_proj",
                           .v = "self_attn.v_proj",
                           .o = "self_attn.out_proj",
                           .up = "fc1",
                           .down = "fc2"},
                 .final_norm = ""};
  const bool norm_first = config.Bool("do_layer_norm_before", true);
  BlockNames& block = model.names.block;
  (norm_first ? block.input_norm : block.attention_residual_norm) = "self_attn_layer_norm";
  (norm_first ? block.mlp_norm : block.mlp_residual_norm) = "final_layer_norm";
  if (norm_first && !config.Bool("_remove_final_layer_norm", false)) {
    model.names.final_norm = "decoder.final_layer_norm";
  }
  model.embedding_width = config.Count("word_embed_proj_dim", model.hidden);
  if (model.embedding_width != model.hidden) {
    model.names.project_in = "decoder.project_in";
    model.names.project_out = "decoder.project_out";
  }
  model.position_offset = 2;
  const bool affine = config.Bool("layer_norm_elementwise_affine", true);
  model.norm = {
      .kind = NormConfig::Kind::kLayer, .epsilon = 1e-5, .weight = affine, .bias = affine};
  model.qkv_bias = model.output_bias = model.mlp_bias = config.Bool("enable_bias", true);
}

// OLMo 2: as Llama, with norms behind attention and MLP instead of before them, and norms over all
// queries and over all keys of a token.

void ConfigureOlmo2(const JsonFields& config, ModelConfig& model) {
  ConfigureAsLlama(config, model);
  model.norm.epsilon = config.Real("rms_norm_eps", 1e-5);
  BlockNames& block = model.names.block;
  block.input_norm = block.mlp_norm = "";
  block.attention_out_norm = "post_attention_layernorm";
  block.mlp_out_norm = "post_feedforward_layernorm";
  block.q_norm = {"self_attn.q_norm"};
  block.k_norm = {"self_attn.k_norm"};
  model.qk_norm_whole = true;
  model.qkv_bias = model.output_bias = config.Bool("attention_bias", false);
}

// SmolLM3: as Llama; in some layers positions play no part ("NoPE").

// no_rope_layers holds 1 for layers that do rotate; without it every n-th one does not.
bool Rotates(const JsonFields& config, const Json* flags, int64_t interval, int64_t layer) {
  if (!flags) return (layer + 1) % interval != 0;
  if (!flags->is_array() || static_cast<int64_t>(flags->size()) <= layer ||
      !(*flags)[static_cast<size_t>(layer)].is_number_integer()) {
    BadInput("model", "{}: 'no_rope_layers' must hold a 0 or a 1 for each layer", config.where());
  }
  return (*flags)[static_cast<size_t>(layer)] != 0;
}

void ConfigureSmolLm3(const JsonFields& config, ModelConfig& model) {
  ConfigureAsLlama(config, model, {.theta = 2000000.0});
  model.qkv_bias = model.output_bias = config.Bool("attention_bias", false);
  model.mlp_bias = config.Bool("mlp_bias", false);
  const Json* flags = config.Find("no_rope_layers");
  const int64_t interval = config.Count("no_rope_layer_interval", 4);
  for (int64_t i = 0; i < model.layers; ++i) {
    if (!Rotates(config, flags, interval, i)) model.layer[static_cast<size_t>(i)].rope.reset();
  }
  if (!config.Bool("use_sliding_window", false)) return;
  ReadWindows(config, model, std::nullopt, [&](int64_t layer) {
    return !model.layer[static_cast<size_t>(layer)].rope.has_value();
  });
}

// StableLM: as Llama, with layer norms and rotary positions on a part of each head; the 12B variant
// has its MLP beside attention and a norm of its own for each head.

std::vector<std::string> PerHead(std::string_view prefix, int64_t heads) {
  std::vector<std::string> names;
  for (int64_t i = 0; i < heads; ++i) names.push_back(fmt::format("{}{}", prefix, i));
  return names;
}

void ConfigureStableLm(const JsonFields& config, ModelConfig& model) {
  model.names = LlamaNames();
  BlockNames& block = model.names.block;
  if (config.Bool("qk_layernorm", false)) {
    block.q_norm = PerHead("self_attn.q_layernorm.norms.", model.heads);
    block.k_norm = PerHead("self_attn.k_layernorm.norms.", model.kv_heads);
  }
  model.parallel_residual = config.Bool("use_parallel_residual", false);
  if (model.parallel_residual) block.mlp_norm = "";
  model.norm = {.kind = NormConfig::Kind::kLayer,
                .epsilon = config.Real("layer_norm_eps", 1e-5),
                .bias = true};
  model.qkv_bias = config.Bool("use_qkv_bias", false);
  ReadRope(config, model, {.rotated_share = 0.25});
}

}  // namespace

const std::vector<Family>& Families() {
  static const std::vector<Family> families = {
      {.name = "Llama",
       .model_types = {"llama", "mistral"},
       .configure = ConfigureLlama,
       .gguf = {.architecture = "llama",
                .paired_rotary = true,
                .biases = GgufTraits::Biases::kOptional}},
      {.name = "Qwen2",
       .model_types = {"qwen2"},
       .configure = ConfigureQwen2,
       .gguf = {.architecture = "qwen2"}},
      {.name = "Qwen3",
       .model_types = {"qwen3"},
       .configure = ConfigureQwen3,
       .head_dim = 128,
       .gguf = {.architecture = "qwen3"}},
      {.name = "Gemma",
       .model_types = {"gemma"},
       .configure = ConfigureGemma1,
       .activation = "gelu_pytorch_tanh",
       .tied_embeddings = true,
       .head_dim = 256,
       .gguf = {.architecture = "gemma", .head = GgufTraits::Head::kTied}},
      {.name = "Gemma 2",
       .model_types = {"gemma2"},
       .configure = ConfigureGemma2,
       .keys = {.activation = "hidden_activation"},
       .activation = "gelu_pytorch_tanh",
       .tied_embeddings = true,
       .head_dim = 256,
       .gguf = {.architecture = "gemma2",
                .windows = true,
                .head = GgufTraits::Head::kTied,
                .layers_scaled_by_width = 46}},
      {.name = "Gemma 3",
       .model_types = {"gemma3_text"},
       .configure = ConfigureGemma3,
       .keys = {.activation = "hidden_activation"},
       .activation = "gelu_pytorch_tanh",
       .tied_embeddings = true,
       .head_dim = 256,
       .gguf = {.architecture = "gemma3", .windows = true, .layers_scaled_by_width = 62}},
      {.name = "Phi",
       .model_types = {"phi"},
       .configure = ConfigurePhi,
       .activation = "gelu_new",
       .gguf = {.architecture = "phi2",
                .biases = GgufTraits::Biases::kAll,
                .head = GgufTraits::Head::kOwn}},
      {.name = "Phi-3",
       .model_types = {"phi3"},
       .configure = ConfigurePhi3,
       .gguf = {.architecture = "phi3"}},
      {.name = "Falcon",
       .model_types = {"falcon"},
       .configure = ConfigureFalcon,
       .keys = {.intermediate = "ffn_hidden_size", .activation = "activation"},
       .activation = "gelu",
       .tied_embeddings = true,
       .intermediate_per_hidden = 4,
       .gguf = {.architecture = "falcon",
                .always_parallel = true,
                .input_norm = "attn_norm_2",
                .mlp_norm = "attn_norm"}},
      {.name = "GPT-2",
       .model_types = {"gpt2"},
       .configure = ConfigureGpt2,
       .keys = {.layers = "n_layer",
                .hidden = "n_embd",
                .intermediate = "n_inner",
                .heads = "n_head",
                .context = "n_positions",
                .activation = "activation_function"},
       .activation = "gelu_new",
       .tied_embeddings = true,
       .intermediate_per_hidden = 4,
       .gguf = {.architecture = "gpt2", .biases = GgufTraits::Biases::kAll}},
      {.name = "GPT-NeoX",
       .model_types = {"gpt_neox"},
       .configure = ConfigureGptNeox,
       .activation = "gelu",
       .gguf = {.architecture = "gptneox",
                .biases = GgufTraits::Biases::kAll,
                .head = GgufTraits::Head::kOwn}},
      {.name = "OPT",
       .model_types = {"opt"},
       .configure = ConfigureOpt,
       .keys = {.intermediate = "ffn_dim", .activation = "activation_function"},
       .activation = "relu",
       .tied_embeddings = true},
      {.name = "OLMo 2",
       .model_types = {"olmo2"},
       .configure = ConfigureOlmo2,
       .gguf = {.architecture = "olmo2", .head = GgufTraits::Head::kOwn}},
      {.name = "SmolLM3",
       .model_types = {"smollm3"},
       .configure = ConfigureSmolLm3,
       .tied_embeddings = true,
       .gguf = {.architecture = "smollm3", .paired_rotary = true, .no_rope_step = 4}},
      {.name = "StableLM",
       .model_types = {"stablelm"},
       .configure = ConfigureStableLm,
       .gguf = {.architecture = "stablelm", .head = GgufTraits::Head::kOwn}},
  };
  return families;
}

}  // namespace grin
