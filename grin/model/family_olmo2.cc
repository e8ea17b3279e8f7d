// OLMo 2: as Llama, with norms behind attention and MLP instead of before them, and norms over all
// queries and over all keys of a token.

#include "grin/model/family.h"

namespace grin {
namespace {

void Configure(const ConfigReader& config, ModelConfig& model) {
  ConfigureAsLlama(config, model);
  model.norm.epsilon = config.Real("rms_norm_eps", 1e-5);
  BlockNames& block = model.names.block;
  block.input_norm = block.mlp_norm = "";
  block.attention_out_norm = "post_attention_layernorm";
  block.mlp_out_norm = "post_feedforward_layernorm";
  block.q_norm = {"self_attn.q_norm"};
  block.k_norm = {"self_attn.k_norm"};
  model.qk_norm_whole = true;
  model.qkv_bias = model.output_bias = config.Flag("attention_bias", false);
}

constexpr std::string_view kModelTypes[] = {"olmo2"};

}  // namespace

extern const Family kOlmo2Family;
const Family kOlmo2Family = {.name = "OLMo 2",
                             .model_types = kModelTypes,
                             .configure = Configure,
                             .gguf = {.architecture = "olmo2", .head = GgufTraits::Head::kOwn}};

}  // namespace grin
