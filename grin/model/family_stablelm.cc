// StableLM: as Llama, with layer norms and rotary positions on a part of each head; the 12B variant
// has its MLP beside attention and a norm of its own for each head.

#include "grin/base/error.h"
#include "grin/model/family.h"

namespace grin {
namespace {

std::vector<std::string> PerHead(std::string_view prefix, int64_t heads) {
  std::vector<std::string> names;
  for (int64_t i = 0; i < heads; ++i) names.push_back(fmt::format("{}{}", prefix, i));
  return names;
}

void Configure(const ConfigReader& config, ModelConfig& model) {
  model.names = LlamaNames();
  BlockNames& block = model.names.block;
  if (config.Flag("qk_layernorm", false)) {
    block.q_norm = PerHead("self_attn.q_layernorm.norms.", model.heads);
    block.k_norm = PerHead("self_attn.k_layernorm.norms.", model.kv_heads);
  }
  model.parallel_residual = config.Flag("use_parallel_residual", false);
  if (model.parallel_residual) block.mlp_norm = "";
  model.norm = {.kind = NormConfig::Kind::kLayer,
                .epsilon = config.Real("layer_norm_eps", 1e-5),
                .bias = true};
  model.qkv_bias = config.Flag("use_qkv_bias", false);
  ReadRope(config, model, {.rotated_share = 0.25});
}

constexpr std::string_view kModelTypes[] = {"stablelm"};

}  // namespace

extern const Family kStableLmFamily;
const Family kStableLmFamily = {
    .name = "StableLM",
    .model_types = kModelTypes,
    .configure = Configure,
    .gguf = {.architecture = "stablelm", .head = GgufTraits::Head::kOwn}};

}  // namespace grin
