#include "grin/data/packing.h"

#include <algorithm>
#include <numeric>

namespace grin {

PackedBatch Pack(std::span<const Sequence* const> sequences, at::Device device) {
  PackedBatch batch;
  batch.offsets = batch.label_offsets = {0};
  std::vector<int64_t> tokens, positions, rows, labels;
  std::vector<float> weights;
  for (const Sequence* sequence : sequences) {
    const auto begin = static_cast<int64_t>(tokens.size());
    const int64_t read = sequence->length() - sequence->unread;
    tokens.insert(tokens.end(), sequence->tokens.begin(), sequence->tokens.begin() + read);
    for (int64_t i = 0; i < read; ++i) positions.push_back(i);
    for (const int32_t label : sequence->labels) {
      rows.push_back(begin + label - 1);  // the row before a token predicts it
      labels.push_back(sequence->tokens[label]);
    }
    weights.insert(weights.end(), sequence->label_weights.begin(), sequence->label_weights.end());
    batch.offsets.push_back(static_cast<int64_t>(tokens.size()));
    batch.label_offsets.push_back(static_cast<int64_t>(rows.size()));
  }
  const auto tensor = [&](const auto& values, at::ScalarType type) {
    return at::tensor(values, type).to(device);
  };
  batch.tokens = tensor(tokens, at::kLong);
  batch.positions = tensor(positions, at::kLong);
  batch.label_rows = tensor(rows, at::kLong);
  batch.label_tokens = tensor(labels, at::kLong);
  batch.label_weights = tensor(weights, at::kFloat);
  return batch;
}

std::vector<std::vector<int64_t>> PlanPasses(std::span<const Sequence* const> sequences,
                                             int64_t token_budget) {
  std::vector<int64_t> order(sequences.size());
  std::iota(order.begin(), order.end(), int64_t{0});
  std::ranges::stable_sort(order, std::greater{},
                           [&](int64_t i) { return sequences[i]->length(); });
  std::vector<std::vector<int64_t>> passes;
  int64_t room = 0;
  for (const int64_t i : order) {
    if (passes.empty() || sequences[i]->length() > room) {
      passes.emplace_back();
      room = token_budget;
    }
    passes.back().push_back(i);
    room -= sequences[i]->length();
  }
  return passes;
}

std::vector<const Sequence*> Select(std::span<const Sequence* const> sequences,
                                    std::span<const int64_t> indices) {
  std::vector<const Sequence*> selected;
  for (const int64_t i : indices) selected.push_back(sequences[i]);
  return selected;
}

std::vector<const Sequence*> Pointers(const std::vector<Sequence>& sequences) {
  std::vector<const Sequence*> pointers;
  for (const Sequence& sequence : sequences) pointers.push_back(&sequence);
  return pointers;
}

}  // namespace grin
