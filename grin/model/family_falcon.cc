// Falcon: MLP beside attention, query, key and value in one matrix by groups, layer norms, a plain
// MLP. The three architectures differ in their groups and in who has a norm of its own.

#include "grin/base/error.h"
#include "grin/model/family.h"

namespace grin {
namespace {

void Configure(const ConfigReader& config, ModelConfig& model) {
  if (config.Flag("alibi", false)) {
    BadInput("model", "{}: positions by alibi are not supported, only rotary ones", config.where());
  }
  const bool grouped = config.Flag("new_decoder_architecture", false);
  const bool parallel = grouped || config.Flag("parallel_attn", true);
  model.kv_heads = grouped                            ? config.Count("num_kv_heads", model.heads)
                   : config.Flag("multi_query", true) ? 1
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
  model.qkv_bias = model.output_bias = model.mlp_bias = config.Flag("bias", false);
  ReadRope(config, model);
}

constexpr std::string_view kModelTypes[] = {"falcon"};

}  // namespace

extern const Family kFalconFamily;
const Family kFalconFamily = {
    .name = "Falcon",
    .model_types = kModelTypes,
    .configure = Configure,
    .keys = {.intermediate = "ffn_hidden_size", .activation = "activation"},
    .activation = "gelu",
    .tied_embeddings = true,
    .intermediate_per_hidden = 4,
    .gguf = {.architecture = "falcon",
             .always_parallel = true,
             .input_norm = "attn_norm_2",
             .mlp_norm = "attn_norm"}};

}  // namespace grin
