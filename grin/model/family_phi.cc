// Phi-1, 1.5 and 2: MLP beside attention behind one layer norm, a plain MLP, biases everywhere, and
// rotary positions on a part of each head.

#include "grin/model/family.h"

namespace grin {
namespace {

void Configure(const ConfigReader& config, ModelConfig& model) {
  model.names = LlamaNames();
  model.names.final_norm = "final_layernorm";
  BlockNames& block = model.names.block;
  block.o = "self_attn.dense";
  block.mlp_norm = block.gate = "";
  block.up = "mlp.fc1";
  block.down = "mlp.fc2";
  if (config.Flag("qk_layernorm", false)) {
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

constexpr std::string_view kModelTypes[] = {"phi"};

}  // namespace

extern const Family kPhiFamily;
const Family kPhiFamily = {.name = "Phi",
                           .model_types = kModelTypes,
                           .configure = Configure,
                           .activation = "gelu_new",
                           .gguf = {.architecture = "phi2",
                                    .biases = GgufTraits::Biases::kAll,
                                    .head = GgufTraits::Head::kOwn}};

}  // namespace grin
