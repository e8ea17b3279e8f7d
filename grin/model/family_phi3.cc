// Phi-3 and 3.5: as Llama, with query, key and value in one matrix, gate and up in another, and
// frequencies that depend on the length of the sequence (longrope).

#include "grin/model/family.h"

namespace grin {
namespace {

void Configure(const ConfigReader& config, ModelConfig& model) {
  ConfigureAsLlama(config, model, {.original_context = 4096});
  model.norm.epsilon = config.Real("rms_norm_eps", 1e-5);
  BlockNames& block = model.names.block;
  block.q = block.k = block.v = "";
  block.qkv = "self_attn.qkv_proj";
  block.gate = block.up = "";
  block.gate_up = "mlp.gate_up_proj";
  ReadWindows(config, model, std::nullopt, [](int64_t) { return true; });
}

constexpr std::string_view kModelTypes[] = {"phi3"};

}  // namespace

extern const Family kPhi3Family;
const Family kPhi3Family = {.name = "Phi-3",
                            .model_types = kModelTypes,
                            .configure = Configure,
                            .gguf = {.architecture = "phi3"}};

}  // namespace grin
