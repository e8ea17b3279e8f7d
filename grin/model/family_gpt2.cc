// GPT-2: learned positions, layer norms, a plain MLP, biases everywhere; matrices are stored
// [in, out], query, key and value in one.

#include "grin/base/error.h"
#include "grin/model/family.h"

namespace grin {
namespace {

void Configure(const ConfigReader& config, ModelConfig& model) {
  if (config.Flag("add_cross_attention", false)) {
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
  const bool scaled = config.Flag("scale_attn_weights", true);
  const bool by_layer = config.Flag("scale_attn_by_inverse_layer_idx", false);
  for (size_t i = 0; i < model.layer.size(); ++i) {
    double& scale = model.layer[i].attention.scale;
    if (!scaled) scale = 1.0;
    if (by_layer) scale /= static_cast<double>(i + 1);
  }
}

constexpr std::string_view kModelTypes[] = {"gpt2"};

}  // namespace

extern const Family kGpt2Family;
const Family kGpt2Family = {.name = "GPT-2",
                            .model_types = kModelTypes,
                            .configure = Configure,
                            .keys = {.layers = "n_layer",
                                     .hidden = "n_embd",
                                     .intermediate = "n_inner",
                                     .heads = "n_head",
                                     .context = "n_positions",
                                     .activation = "activation_function"},
                            .activation = "gelu_new",
                            .tied_embeddings = true,
                            .intermediate_per_hidden = 4,
                            .gguf = {.architecture = "gpt2", .biases = GgufTraits::Biases::kAll}};

}  // namespace grin
