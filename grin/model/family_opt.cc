// OPT: learned positions that start at row 2, layer norms, a plain MLP. The 350M variant has its
// norms behind the sums and an embedding narrower than its blocks.

#include "grin/model/family.h"

namespace grin {
namespace {

void Configure(const ConfigReader& config, ModelConfig& model) {
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
  const bool norm_first = config.Flag("do_layer_norm_before", true);
  BlockNames& block = model.names.block;
  (norm_first ? block.input_norm : block.attention_residual_norm) = "self_attn_layer_norm";
  (norm_first ? block.mlp_norm : block.mlp_residual_norm) = "final_layer_norm";
  if (norm_first && !config.Flag("_remove_final_layer_norm", false)) {
    model.names.final_norm = "decoder.final_layer_norm";
  }
  model.embedding_width = config.Count("word_embed_proj_dim", model.hidden);
  if (model.embedding_width != model.hidden) {
    model.names.project_in = "decoder.project_in";
    model.names.project_out = "decoder.project_out";
  }
  model.position_offset = 2;
  const bool affine = config.Flag("layer_norm_elementwise_affine", true);
  model.norm = {
      .kind = NormConfig::Kind::kLayer, .epsilon = 1e-5, .weight = affine, .bias = affine};
  model.qkv_bias = model.output_bias = model.mlp_bias = config.Flag("enable_bias", true);
}

constexpr std::string_view kModelTypes[] = {"opt"};

}  // namespace

extern const Family kOptFamily;
const Family kOptFamily = {.name = "OPT",
                           .model_types = kModelTypes,
                           .configure = Configure,
                           .keys = {.intermediate = "ffn_dim", .activation = "activation_function"},
                           .activation = "relu",
                           .tied_embeddings = true};

}  // namespace grin
