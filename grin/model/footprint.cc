#include "grin/model/footprint.h"

#include <algorithm>

#include "grin/model/logit_chunk.h"

namespace grin {

int64_t RecordedBytesPerToken(const Model& model) {
  return RecordedBytesPerToken(model, model.config.layers);
}

int64_t RecordedBytesPerToken(const Model& model, int64_t blocks) {
  const ModelConfig& c = model.config;
  const int64_t q = c.heads * c.head_dim, kv = c.kv_heads * c.head_dim;
  // Residual streams, normed inputs, q and k before and after they are turned, v, attention output,
  // and gate and up, or the MLP's rows before and after its activation.
  const int64_t per_layer = 4 * c.hidden + 3 * (q + kv) + 2 * c.intermediate;
  const auto element = static_cast<int64_t>(c10::elementSize(model.weights->dtype()));
  // What attention is computed from and gives, in fp32 where that is not the type anyway.
  const bool widens = model.weights->device().is_cpu() && model.weights->dtype() == at::kBFloat16;
  const int64_t widened = widens ? 4 * 2 * (q + kv) : 0;
  // The widest temporary of one layer, in fp32, comes on top once.
  return blocks * (per_layer * element + widened) + 4 * (3 * c.intermediate + 4 * c.hidden);
}

int64_t ForwardBytesPerToken(const Model& model) {
  const ModelConfig& c = model.config;
  const int64_t q = c.heads * c.head_dim, kv = c.kv_heads * c.head_dim;
  // The residual stream, the normed input, and what one layer's attention or MLP holds beside them.
  const int64_t layer = std::max(3 * q + 4 * kv, 3 * c.intermediate);
  const auto element = static_cast<int64_t>(c10::elementSize(model.weights->dtype()));
  // Factors of products in bf16 are widened to fp32 for as long as the product takes.
  return (3 * c.hidden + layer) * element + 4 * (3 * c.intermediate + 4 * c.hidden);
}

int64_t LogitBytes(const Model& model) {
  const int64_t vocabulary = model.config.vocabulary;
  return 3 * 4 * vocabulary * LogitChunkRows(vocabulary, kLogitBytes);
}

}  // namespace grin
