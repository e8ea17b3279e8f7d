// GPT-NeoX and Pythia: MLP beside attention behind a layer norm each, query, key and value of a
// head side by side in one matrix, rotary positions on a part of each head.

#include "grin/model/family.h"

namespace grin {
namespace {

void Configure(const ConfigReader& config, ModelConfig& model) {
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
  model.parallel_residual = config.Flag("use_parallel_residual", true);
  model.qkv_layout = QkvLayout::kGroups;
  model.qkv_bias = model.output_bias = config.Flag("attention_bias", true);
  model.mlp_bias = true;
  ReadRope(config, model,
           {.rotated_share = 0.25, .theta_key = "rotary_emb_base", .share_key = "rotary_pct"});
}

constexpr std::string_view kModelTypes[] = {"gpt_neox"};

}  // namespace

extern const Family kGptNeoxFamily;
const Family kGptNeoxFamily = {.name = "GPT-NeoX",
                               .model_types = kModelTypes,
                               .configure = Configure,
                               .activation = "gelu",
                               .gguf = {.architecture = "gptneox",
                                        .biases = GgufTraits::Biases::kAll,
                                        .head = GgufTraits::Head::kOwn}};

}  // namespace grin
