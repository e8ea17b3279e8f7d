#include "grin/data/packing.h"

#include <algorithm>
#include <numeric>

#include "grin/model/device.h"

namespace grin {

std::span<const int32_t> TokensRead(const Sequence& sequence) {
  return {sequence.tokens.data(), static_cast<size_t>(sequence.length() - sequence.unread)};
}

void BatchRows::Append(const Sequence& sequence, int64_t begin, int64_t end) {
  for (int64_t i = begin; i < end; ++i) {
    tokens_.push_back(sequence.tokens[i]);
    positions_.push_back(i);
    unseen_.push_back(sequence.tokens[i] == sequence.unseen_token);
  }
}

void BatchRows::EndLabels(const Sequence& sequence) {
  for (size_t i = 0; i < sequence.labels.size(); ++i) {
    label_tokens_.push_back(sequence.targets.empty() ? sequence.tokens[sequence.labels[i]]
                                                     : sequence.targets[i]);
  }
  label_weights_.insert(label_weights_.end(), sequence.label_weights.begin(),
                        sequence.label_weights.end());
  label_offsets_.push_back(static_cast<int64_t>(label_rows_.size()));
}

PackedBatch BatchRows::Finish(std::vector<int64_t> offsets, at::Device device) const {
  PackedBatch batch;
  batch.tokens = UploadIndices(tokens_, device);
  batch.positions = UploadIndices(positions_, device);
  batch.segments = Segments(std::move(offsets), device);
  batch.labels = LabelledRows(label_rows_, label_tokens_, device);
  batch.label_offsets = label_offsets_;
  batch.label_weights = Upload(at::tensor(label_weights_, at::kFloat), device);
  if (std::ranges::count(unseen_, 1) > 0) {
    batch.unseen = Upload(at::tensor(unseen_, at::kByte).to(at::kBool), device);
  }
  return batch;
}

PackedBatch Pack(std::span<const Sequence* const> sequences, at::Device device) {
  BatchRows rows;
  std::vector<int64_t> offsets = {0};
  for (const Sequence* sequence : sequences) {
    const int64_t begin = rows.size();
    rows.Append(*sequence, 0, static_cast<int64_t>(TokensRead(*sequence).size()));
    rows.AppendLabels(*sequence, [=](int64_t token) { return begin + token; });
    offsets.push_back(rows.size());
  }
  return rows.Finish(std::move(offsets), device);
}

std::vector<std::vector<int64_t>> PlanPasses(std::span<const int64_t> lengths,
                                             int64_t token_budget) {
  std::vector<int64_t> order(lengths.size());
  std::iota(order.begin(), order.end(), int64_t{0});
  std::ranges::stable_sort(order, std::greater{}, [&](int64_t i) { return lengths[i]; });
  std::vector<std::vector<int64_t>> passes;
  int64_t room = 0;
  for (const int64_t i : order) {
    if (passes.empty() || lengths[i] > room) {
      passes.emplace_back();
      room = token_budget;
    }
    passes.back().push_back(i);
    room -= lengths[i];
  }
  return passes;
}

std::vector<std::vector<int64_t>> PlanPasses(std::span<const Sequence* const> sequences,
                                             int64_t token_budget) {
  std::vector<int64_t> lengths;
  for (const Sequence* sequence : sequences) lengths.push_back(sequence->length());
  return PlanPasses(lengths, token_budget);
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
