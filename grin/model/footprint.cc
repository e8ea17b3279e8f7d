#include "grin/model/footprint.h"

#include <algorithm>

#include "grin/model/logit_chunk.h"
#include "grin/model/product.h"
#include "grin/model/varlen_attention.h"

namespace grin {
namespace {

// Numbers per token that one block keeps, by the type that they are kept in.
struct KeptNumbers {
  int64_t narrow = 0;  // in the type of the weights
  int64_t wide = 0;    // in fp32
};

struct Widths {
  explicit Widths(const ModelConfig& c)
      : hidden(c.hidden),
        q(c.heads * c.head_dim),
        kv(c.kv_heads * c.head_dim),
        inner(c.intermediate) {}

  int64_t hidden, q, kv, inner;
};

bool Widens(const Model& model) {
  return WidensFactors(model.weights->device(), model.weights->dtype());
}

int64_t ElementBytes(const Model& model) {
  return static_cast<int64_t>(c10::elementSize(model.weights->dtype()));
}

// Each tensor once, whatever reads it in the backward pass. See decoder.cc for the order.
KeptNumbers KeptByBlock(const Model& model) {
  const ModelConfig& c = model.config;
  const BlockWeights& block = model.blocks.front();
  const Widths w(c);
  KeptNumbers kept;
  const auto norms = [&](const NormWeights& norm) {
    if (norm.present) kept.wide += c.norm.kind == NormConfig::Kind::kRms ? 1 : 2;
    return norm.present;
  };
  // The stream before the block, and what the first layers read of it.
  kept.narrow += w.hidden + (norms(block.input_norm) ? w.hidden : 0);
  // Queries and keys before their norms.
  if (!block.q_norm.empty()) kept.narrow += w.q;
  if (!block.k_norm.empty()) kept.narrow += w.kv;
  // Queries, keys and values as attention reads them. Where one matrix makes all three, the values
  // hold the whole of what it made.
  const bool turned =
      std::ranges::any_of(c.layer, [](const LayerConfig& layer) { return layer.rope.has_value(); });
  const bool capped = std::ranges::any_of(
      c.layer, [](const LayerConfig& layer) { return layer.attention.softcap.has_value(); });
  AttentionCase of{.device = model.weights->device(),
                   .type = model.weights->dtype(),
                   .head_dim = c.head_dim,
                   .capped = capped,
                   .has_flash = true,
                   .has_efficient = true};
  const bool by_length = ChooseAttention(of) == AttentionKernel::kByLength;
  if (Widens(model)) {
    kept.wide += w.q + 2 * w.kv;
  } else if (by_length) {
    // LibTorch repeats keys and values for the heads that share them, and widens all three.
    (ElementBytes(model) < 4 ? kept.wide : kept.narrow) += 3 * w.q;
  } else {
    kept.narrow += w.q + 2 * w.kv;
    if (block.qkv.defined() && turned) kept.narrow += w.q + w.kv;
    if (!model.weights->device().is_cpu()) kept.wide += c.heads;  // the rows' log sums
  }
  kept.narrow += w.q;  // what attention gives, which the next layer reads
  // The MLP: gate and up, or its rows before and after the activation.
  kept.narrow += 2 * w.inner;
  // What norms behind attention and the MLP read, and the stream between the two.
  if (norms(block.attention_out_norm)) kept.narrow += w.hidden;
  if (norms(block.mlp_out_norm)) kept.narrow += w.hidden;
  if (c.parallel_residual) {
    if (norms(block.mlp_norm)) kept.narrow += w.hidden;
  } else {
    kept.narrow += w.hidden;
    if (norms(block.attention_residual_norm)) kept.narrow += w.hidden;
    if (norms(block.mlp_norm)) kept.narrow += w.hidden;
  }
  if (norms(block.mlp_residual_norm)) kept.narrow += w.hidden;
  return kept;
}

}  // namespace

int64_t KeptBytesPerToken(const Model& model) {
  return KeptBytesPerToken(model, model.config.layers);
}

int64_t KeptBytesPerToken(const Model& model, int64_t blocks) {
  if (model.blocks.empty()) return 0;
  const KeptNumbers kept = KeptByBlock(model);
  return blocks * (kept.narrow * ElementBytes(model) + 4 * kept.wide);
}

int64_t BackwardBytesPerToken(const Model& model) {
  const Widths w(model.config);
  const int64_t element = ElementBytes(model);
  // The gated MLP: its active rows, their gradient, and what the two parts' gradients are made
  // from.
  int64_t mlp = (5 * w.inner + w.hidden) * element;
  // A product of the CPU widens its left factor and makes its result in fp32.
  if (Widens(model)) {
    mlp = std::max(mlp, 4 * (w.hidden + w.inner) + (2 * w.inner + w.hidden) * element);
  }
  const int64_t norm = 4 * 6 * w.hidden;  // in fp32
  // Gradients of queries, keys and values, for every head, and sums of them in fp32.
  const int64_t attention = (3 * w.q + 2 * w.kv) * element + 4 * (w.q + 2 * w.kv);
  return std::max({mlp, norm, attention});
}

int64_t RecordedBytesPerToken(const Model& model) {
  return KeptBytesPerToken(model) + BackwardBytesPerToken(model);
}

int64_t RecordedPassBytes(const Model& model, int64_t blocks, int64_t tokens, int64_t labels,
                          int64_t dense) {
  // The head's rows, their copy for the labels and its gradient, and the gradient of the stream; of
  // a chunk also in fp32.
  const int64_t row = model.config.hidden * ElementBytes(model);
  const int64_t with_logits = std::min(tokens, labels);
  const int64_t wide = 2 * 4 * model.config.hidden *
                       std::min(with_logits, LogitChunkRows(model.config.vocabulary, kLogitBytes));
  const int64_t rows = 2 * (tokens + with_logits) * row + (ElementBytes(model) < 4 ? wide : 0);
  const int64_t head = model.weights->device().is_cpu() ? 0 : LogitBytes(model, with_logits);
  // A weight's gradient is made from the MLP's active rows, which devices without narrow products
  // widen, and so is their gradient.
  const at::Device device = model.weights->device();
  const bool widens = !device.is_cpu() && !device.is_cuda() && ElementBytes(model) < 4;
  const int64_t widened = widens ? 4 * (model.config.hidden + model.config.intermediate) : 0;
  const int64_t product =
      tokens * (2 * model.config.intermediate * ElementBytes(model) + widened) + dense;
  return tokens * KeptBytesPerToken(model, blocks) +
         std::max({tokens * BackwardBytesPerToken(model), rows + head, product});
}

int64_t ForwardBytesPerToken(const Model& model) {
  const Widths w(model.config);
  const int64_t element = ElementBytes(model);
  // Beside the stream before and after attention, attention's input and output, and a normed
  // stream: gate, up and the active rows; or queries, keys and values before and after they are
  // turned. A product of the CPU widens its left factor and makes its result in fp32, and so does
  // attention.
  const int64_t mlp =
      (5 * w.hidden + 3 * w.inner) * element + (Widens(model) ? 4 * (w.inner + w.hidden) : 0);
  const int64_t attention = (3 * w.hidden + 3 * w.q + 4 * w.kv) * element +
                            (Widens(model) ? 4 * (2 * w.q + 2 * w.kv) : 0);
  const int64_t norm = 3 * w.hidden * element + 4 * 3 * w.hidden;
  return std::max({mlp, attention, norm});
}

int64_t ForwardPassBytes(const Model& model, int64_t tokens, int64_t labels) {
  const int64_t head =
      model.weights->device().is_cpu() ? 0 : LogitBytes(model, std::min(tokens, labels));
  return std::max(tokens * ForwardBytesPerToken(model),
                  3 * tokens * model.config.hidden * ElementBytes(model) + head);
}

int64_t LogitBytes(const Model& model) {
  return LogitBytes(model, LogitChunkRows(model.config.vocabulary, kLogitBytes));
}

int64_t LogitBytes(const Model& model, int64_t rows) {
  const int64_t vocabulary = model.config.vocabulary;
  return 3 * 4 * vocabulary * std::min(rows, LogitChunkRows(vocabulary, kLogitBytes));
}

}  // namespace grin
