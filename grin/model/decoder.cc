#include "grin/model/decoder.h"

#include <algorithm>

#include "grin/base/error.h"
#include "grin/base/log.h"
#include "grin/model/family.h"
#include "grin/model/rope.h"

namespace grin {
namespace {

// One decoder block over packed rows x [T, d].
at::Tensor Block(const Model& model, int64_t index, const at::Tensor& x, const RopeTable& rope,
                 Attention& attention, GradientSink* sink) {
  const ModelConfig& config = model.config;
  const BlockWeights& block = model.blocks[index];
  const int64_t rows = x.size(0);

  const at::Tensor normed = RmsNorm(x, block.input_norm, config.norm_epsilon, sink);
  const at::Tensor q = Linear(normed, block.q, sink).view({rows, config.heads, config.head_dim});
  const at::Tensor k = Linear(normed, block.k, sink).view({rows, config.kv_heads, config.head_dim});
  const at::Tensor v = Linear(normed, block.v, sink).view({rows, config.kv_heads, config.head_dim});
  const at::Tensor mixed = attention.Attend(index, ApplyRope(q, rope), ApplyRope(k, rope), v);
  const at::Tensor attended = x + Linear(mixed, block.o, sink);

  const at::Tensor mlp_in = RmsNorm(attended, block.post_attention_norm, config.norm_epsilon, sink);
  const at::Tensor gated = Gated(Linear(mlp_in, block.gate, sink), Linear(mlp_in, block.up, sink),
                                 config.activation);
  return attended + Linear(gated, block.down, sink);
}

// Stored as bf16 throughout its matrices? Then it is computed so.
at::ScalarType NaturalType(const Checkpoint& checkpoint) {
  int64_t narrow = 0, wide = 0;
  for (const TensorInfo& info : checkpoint.tensors()) {
    (info.dtype == DType::kBF16 ? narrow : wide) += info.elements();
  }
  return narrow > wide ? at::kBFloat16 : at::kFloat;
}

LinearWeights GetLinear(const Weights& weights, const std::string& name, int64_t out, int64_t in,
                        bool bias) {
  LinearWeights linear;
  linear.weight = weights.Get(name + ".weight", {out, in});
  if (bias) linear.bias = weights.Get(name + ".bias", {out});
  return linear;
}

}  // namespace

std::vector<std::string> Model::BlockMatrices() const {
  std::vector<std::string> names;
  for (const BlockWeights& block : blocks) {
    for (const LinearWeights* linear :
         {&block.q, &block.k, &block.v, &block.o, &block.gate, &block.up, &block.down}) {
      names.push_back(linear->weight.name);
    }
  }
  return names;
}

Model LoadModel(std::shared_ptr<const Checkpoint> checkpoint, std::optional<at::ScalarType> dtype,
                at::Device device) {
  Model model;
  const ModelConfig& config = model.config =
      ParseModelConfig(checkpoint->config(), checkpoint->path().string() + "/config.json");
  const Family& family = FamilyNamed(config.family);
  model.weights = std::make_shared<Weights>(
      checkpoint, dtype.value_or(NaturalType(*checkpoint)), device);
  const Weights& weights = *model.weights;

  const int64_t d = config.hidden;
  model.embedding = weights.Get(fmt::format("{}.weight", family.embedding), {config.vocabulary, d});
  model.final_norm = weights.Get(fmt::format("{}.weight", family.final_norm), {d});
  model.head = config.tied_embeddings ? model.embedding
                                      : weights.Get(fmt::format("{}.weight", family.head),
                                                    {config.vocabulary, d});
  for (int64_t i = 0; i < config.layers; ++i) {
    const LayerNames names = family.layer(i);
    const int64_t q = config.heads * config.head_dim, kv = config.kv_heads * config.head_dim;
    const bool bias = config.attention_bias;
    model.blocks.push_back(
        {.input_norm = weights.Get(names.input_norm + ".weight", {d}),
         .post_attention_norm = weights.Get(names.post_attention_norm + ".weight", {d}),
         .q = GetLinear(weights, names.q, q, d, bias),
         .k = GetLinear(weights, names.k, kv, d, bias),
         .v = GetLinear(weights, names.v, kv, d, bias),
         .o = GetLinear(weights, names.o, d, q, bias),
         .gate = GetLinear(weights, names.gate, config.intermediate, d, config.mlp_bias),
         .up = GetLinear(weights, names.up, config.intermediate, d, config.mlp_bias),
         .down = GetLinear(weights, names.down, d, config.intermediate, config.mlp_bias)});
  }
  model.rope_frequencies = RopeFrequencies(config).to(device);
  return model;
}

at::Tensor Forward(const Model& model, const at::Tensor& tokens, const at::Tensor& positions,
                   Attention& attention, GradientSink* sink) {
  const at::AutoGradMode grad_mode(sink != nullptr);
  const RopeTable rope = MakeRopeTable(model.rope_frequencies, positions);
  at::Tensor x = Embed(tokens, model.embedding, sink);
  for (int64_t i = 0; i < model.config.layers; ++i) x = Block(model, i, x, rope, attention, sink);
  return RmsNorm(x, model.final_norm, model.config.norm_epsilon, sink);
}

LabelScores ScoreBatch(const Model& model, const PackedBatch& batch, GradientSink* sink,
                       const HeadOptions& options) {
  const at::AutoGradMode grad_mode(sink != nullptr);
  PackedAttention attention(batch.offsets, model.config.sliding_window);
  const at::Tensor hidden = Forward(model, batch.tokens, batch.positions, attention, sink);
  return ScoreLabels(hidden.index_select(0, batch.label_rows), batch.label_tokens, model.head, sink,
                     options);
}

}  // namespace grin
