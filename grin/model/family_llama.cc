// Llama 1/2/3.x, SmolLM2, Mistral and Zephyr: RMSNorm, rotary positions, gated MLP, grouped queries.

#include "grin/base/error.h"
#include "grin/model/family.h"

namespace grin {
namespace {

constexpr std::string_view kModelTypes[] = {"llama", "mistral"};

void Configure(const Json& config, std::string_view, ModelConfig& model) {
  if (config.value("model_type", "") == "mistral") {
    if (const auto window = config.find("sliding_window");
        window != config.end() && window->is_number_integer()) {
      model.sliding_window = window->get<int64_t>();
    }
  }
}

LayerNames Layer(int64_t index) {
  const std::string prefix = fmt::format("model.layers.{}.", index);
  return {.input_norm = prefix + "input_layernorm",
          .q = prefix + "self_attn.q_proj",
          .k = prefix + "self_attn.k_proj",
          .v = prefix + "self_attn.v_proj",
          .o = prefix + "self_attn.o_proj",
          .post_attention_norm = prefix + "post_attention_layernorm",
          .gate = prefix + "mlp.gate_proj",
          .up = prefix + "mlp.up_proj",
          .down = prefix + "mlp.down_proj"};
}

}  // namespace

extern const Family kLlamaFamily;
const Family kLlamaFamily = {.name = "Llama",
                             .model_types = kModelTypes,
                             .configure = Configure,
                             .layer = Layer,
                             .embedding = "model.embed_tokens",
                             .final_norm = "model.norm",
                             .head = "lm_head"};

}  // namespace grin
