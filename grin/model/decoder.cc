#include "grin/model/decoder.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <memory>

#include "grin/base/error.h"
#include "grin/model/pass_in_parts.h"

namespace grin {
namespace {

// What every block of one forward pass uses.
struct Pass {
  const Model& model;
  std::vector<RopeTable> ropes;
  Attention& attention;
  GradientSink* sink;

  at::Tensor Normed(const at::Tensor& x, const NormWeights& weights) const {
    return Norm(x, weights, model.config.norm, sink);
  }
};

struct Heads {
  at::Tensor q, k, v;  // [T, heads or kv_heads, head_dim]
};

// The parts of one matrix's output rows [T, (heads + 2 kv_heads) head_dim].
Heads SplitQkv(const at::Tensor& rows, const ModelConfig& config) {
  const int64_t count = rows.size(0), heads = config.heads, kv = config.kv_heads;
  const int64_t dim = config.head_dim;
  if (config.qkv_layout == QkvLayout::kParts) {
    const auto parts = rows.view({count, heads + 2 * kv, dim}).split_with_sizes({heads, kv, kv}, 1);
    return {parts[0], parts[1], parts[2]};
  }
  const int64_t group = heads / kv;
  const auto parts = rows.view({count, kv, group + 2, dim}).split_with_sizes({group, 1, 1}, 2);
  return {parts[0].reshape({count, heads, dim}), parts[1].squeeze(2), parts[2].squeeze(2)};
}

// Norms of x [T, heads, head_dim], by head or over all heads together.
at::Tensor HeadNorm(const Pass& pass, const at::Tensor& x, const std::vector<NormWeights>& norms) {
  if (norms.empty()) return x;
  if (pass.model.config.qk_norm_whole) {
    return pass.Normed(x.reshape({x.size(0), -1}), norms[0]).view(x.sizes());
  }
  if (norms.size() == 1) return pass.Normed(x, norms[0]);
  std::vector<at::Tensor> heads;
  for (size_t h = 0; h < norms.size(); ++h) {
    heads.push_back(pass.Normed(x.select(1, static_cast<int64_t>(h)), norms[h]));
  }
  return at::stack(heads, 1);
}

// Attention of one layer over rows x [T, d], up to the output matrix.
at::Tensor Attend(const Pass& pass, int64_t index, const at::Tensor& x) {
  const ModelConfig& config = pass.model.config;
  const BlockWeights& block = pass.model.blocks[index];
  const LayerConfig& layer = config.layer[index];
  Heads heads;
  if (block.qkv.defined()) {
    heads = SplitQkv(Linear(x, block.qkv, pass.sink), config);
  } else {
    const auto part = [&](const LinearWeights& weights, int64_t count) {
      return Linear(x, weights, pass.sink).view({x.size(0), count, config.head_dim});
    };
    heads = {part(block.q, config.heads), part(block.k, config.kv_heads),
             part(block.v, config.kv_heads)};
  }
  heads.q = HeadNorm(pass, heads.q, block.q_norm);
  heads.k = HeadNorm(pass, heads.k, block.k_norm);
  if (layer.rope) {
    heads.q = ApplyRope(heads.q, pass.ropes[*layer.rope]);
    heads.k = ApplyRope(heads.k, pass.ropes[*layer.rope]);
  }
  const at::Tensor mixed = pass.attention.Attend(index, layer.attention, heads.q, heads.k, heads.v);
  return Linear(mixed, block.o, pass.sink);
}

at::Tensor Mlp(const Pass& pass, const BlockWeights& block, const at::Tensor& x) {
  const Activation activation = pass.model.config.activation;
  if (block.gate_up.defined()) {
    const auto halves = Linear(x, block.gate_up, pass.sink).chunk(2, 1);
    return GatedLinear(halves[0], halves[1], activation, block.down, pass.sink);
  }
  if (block.gate.defined()) {
    return GatedLinear(Linear(x, block.gate, pass.sink), Linear(x, block.up, pass.sink), activation,
                       block.down, pass.sink);
  }
  return Linear(Activate(Linear(x, block.up, pass.sink), activation), block.down, pass.sink);
}

// One decoder block over packed rows x [T, d]. Norms that the architecture lacks change nothing.
at::Tensor Block(const Pass& pass, int64_t index, const at::Tensor& x) {
  const BlockWeights& block = pass.model.blocks[index];
  const at::Tensor attention_in = pass.Normed(x, block.input_norm);
  const at::Tensor attention_out =
      pass.Normed(Attend(pass, index, attention_in), block.attention_out_norm);
  if (pass.model.config.parallel_residual) {
    // The MLP reads x too, through a norm of its own or through attention's.
    const at::Tensor mlp_in =
        block.mlp_norm.present ? pass.Normed(x, block.mlp_norm) : attention_in;
    return x + attention_out + pass.Normed(Mlp(pass, block, mlp_in), block.mlp_out_norm);
  }
  const at::Tensor attended = pass.Normed(x + attention_out, block.attention_residual_norm);
  const at::Tensor mlp_out =
      pass.Normed(Mlp(pass, block, pass.Normed(attended, block.mlp_norm)), block.mlp_out_norm);
  return pass.Normed(attended + mlp_out, block.mlp_residual_norm);
}

// Rows of the learned positions, for sequences of at most `longest` tokens.
at::Tensor EmbedPositions(const Model& model, const at::Tensor& positions, int64_t longest,
                          GradientSink* sink) {
  const ModelConfig& config = model.config;
  if (longest > config.context) {
    BadInput("model", "a sequence of {} tokens is longer than the {} positions that the model has",
             longest, config.context);
  }
  return Embed(positions + config.position_offset, model.positions, sink);
}

std::vector<RopeTable> MakeRopeTables(const Model& model, const at::Tensor& positions,
                                      const Attention& attention) {
  std::vector<RopeTable> tables;
  for (const Rope& rope : model.ropes) {
    const at::Tensor lengths =
        rope.long_frequencies.defined() ? attention.SequenceLengths() : at::Tensor();
    tables.push_back(MakeRopeTable(rope, positions, lengths));
  }
  return tables;
}

// Rows [T, d] before the first block.
at::Tensor EmbedTokens(const Model& model, const at::Tensor& tokens, const at::Tensor& positions,
                       int64_t longest, GradientSink* sink) {
  const ModelConfig& config = model.config;
  at::Tensor x = Embed(tokens, model.embedding, sink,
                       {.scale = config.embedding_scale, .fixed = config.padding_token});
  if (model.project_in.defined()) x = Linear(x, model.project_in, sink);
  if (model.positions.defined()) x = x + EmbedPositions(model, positions, longest, sink);
  return x;
}

std::unique_ptr<Attention> AttentionOf(const PackedBatch& batch) {
  if (!batch.expand.defined()) {
    return std::make_unique<PackedAttention>(batch.segments, batch.unseen);
  }
  return std::make_unique<SharedPrefixAttention>(batch.segments, batch.expand, batch.collect,
                                                 batch.unseen);
}

// Rows [T, d] after the first `blocks` blocks.
at::Tensor RunBlocks(const Pass& pass, int64_t blocks, const at::Tensor& tokens,
                     const at::Tensor& positions) {
  at::Tensor x =
      EmbedTokens(pass.model, tokens, positions, pass.attention.LongestSequence(), pass.sink);
  for (int64_t i = 0; i < blocks; ++i) x = Block(pass, i, x);
  return x;
}

// Rows after the last block -> rows that the head reads.
at::Tensor AfterBlocks(const Pass& pass, const at::Tensor& x) {
  const at::Tensor normed = pass.Normed(x, pass.model.final_norm);
  return pass.model.project_out.defined() ? Linear(normed, pass.model.project_out, pass.sink)
                                          : normed;
}

}  // namespace

at::Tensor Forward(const Model& model, const at::Tensor& tokens, const at::Tensor& positions,
                   Attention& attention, GradientSink* sink) {
  const at::AutoGradMode grad_mode(sink != nullptr);
  const Pass pass{model, MakeRopeTables(model, positions, attention), attention, sink};
  return AfterBlocks(pass, RunBlocks(pass, model.config.layers, tokens, positions));
}

struct PassInParts::State {
  explicit State(const Model& of, const PackedBatch& batch)
      : model(of), attention(AttentionOf(batch)), ropes(MakeRopeTables(of, batch.positions, *attention)) {}

  Pass To(GradientSink* sink) const { return {model, ropes, *attention, sink}; }

  const Model& model;
  std::unique_ptr<Attention> attention;
  std::vector<RopeTable> ropes;
};

PassInParts::PassInParts(const Model& model, const PackedBatch& batch)
    : batch_(batch), state_(std::make_unique<State>(model, batch)) {}

PassInParts::~PassInParts() = default;

at::Tensor PassInParts::Embed(GradientSink* sink) const {
  const at::AutoGradMode grad_mode(sink != nullptr);
  return EmbedTokens(state_->model, batch_.tokens, batch_.positions,
                     state_->attention->LongestSequence(), sink);
}

at::Tensor PassInParts::Blocks(int64_t begin, int64_t end, at::Tensor stream,
                               GradientSink* sink) const {
  const at::AutoGradMode grad_mode(sink != nullptr);
  const Pass pass = state_->To(sink);
  for (int64_t i = begin; i < end; ++i) stream = Block(pass, i, stream);
  return stream;
}

LabelScores PassInParts::Score(const at::Tensor& stream, GradientSink* sink) const {
  const at::AutoGradMode grad_mode(sink != nullptr);
  const at::Tensor hidden =
      AfterBlocks(state_->To(sink), stream).index_select(0, batch_.labels.rows);
  return ScoreLabels(hidden, batch_.labels, state_->model.head, sink);
}

at::Tensor HiddenAfter(const Model& model, int64_t layer, const PackedBatch& batch,
                       GradientSink* sink) {
  const at::AutoGradMode grad_mode(sink != nullptr);
  const std::unique_ptr<Attention> attention = AttentionOf(batch);
  const Pass pass{model, MakeRopeTables(model, batch.positions, *attention), *attention, sink};
  return RunBlocks(pass, layer + 1, batch.tokens, batch.positions);
}

at::Tensor HeadRows(const Model& model, const PackedBatch& batch, GradientSink* sink) {
  const at::AutoGradMode grad_mode(sink != nullptr);
  const std::unique_ptr<Attention> attention = AttentionOf(batch);
  return Forward(model, batch.tokens, batch.positions, *attention, sink)
      .index_select(0, batch.labels.rows);
}

bool RowsDependOnLength(const Model& model) {
  return std::ranges::any_of(model.ropes,
                             [](const Rope& rope) { return rope.long_frequencies.defined(); });
}

bool CacheIsStale(const Model& model, int64_t length) {
  return std::ranges::any_of(model.ropes, [=](const Rope& rope) {
    return rope.long_frequencies.defined() && length == rope.short_limit;
  });
}

LabelScores ScoreBatch(const Model& model, const PackedBatch& batch, GradientSink* sink,
                       const HeadOptions& options) {
  const at::AutoGradMode grad_mode(sink != nullptr);
  return ScoreLabels(HeadRows(model, batch, sink), batch.labels, model.head, sink, options);
}

}  // namespace grin
