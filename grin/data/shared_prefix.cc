#include "grin/data/shared_prefix.h"

#include <algorithm>
#include <numeric>

#include "grin/data/packing.h"
#include "grin/model/device.h"

namespace grin {
namespace {

constexpr int64_t kMostExpanded = 4;  // times the budget

// Of what is read. Sequences that hide other tokens have other rows for the same ones.
int64_t CommonPrefix(const Sequence& a, const Sequence& b) {
  if (a.unseen_token != b.unseen_token) return 0;
  const std::span<const int32_t> read = TokensRead(a);
  return std::ranges::mismatch(read, TokensRead(b)).in1 - read.begin();
}

}  // namespace

std::vector<std::vector<int64_t>> PlanSharedPasses(std::span<const Sequence* const> sequences,
                                                   int64_t token_budget) {
  const auto read = [&](int64_t i) { return TokensRead(*sequences[i]); };
  std::vector<int64_t> order(sequences.size());
  std::iota(order.begin(), order.end(), int64_t{0});
  std::ranges::stable_sort(order, [&](int64_t a, int64_t b) {
    return std::ranges::lexicographical_compare(read(a), read(b));
  });
  std::vector<std::vector<int64_t>> passes;
  int64_t packed = 0, expanded = 0;  // tokens of the last pass
  for (const int64_t i : order) {
    const auto length = static_cast<int64_t>(read(i).size());
    if (!passes.empty()) {
      packed += length - CommonPrefix(*sequences[passes.back().back()], *sequences[i]);
      expanded += length;
    }
    if (passes.empty() || packed > token_budget || expanded > kMostExpanded * token_budget) {
      passes.emplace_back();
      packed = expanded = length;
    }
    passes.back().push_back(i);
  }
  // Long ones first, which fails early where memory is short.
  const auto longest = [&](const std::vector<int64_t>& members) {
    int64_t length = 0;
    for (const int64_t i : members) length = std::max(length, sequences[i]->length());
    return length;
  };
  std::ranges::stable_sort(passes, std::greater{}, longest);
  return passes;
}

PackedBatch PackShared(std::span<const Sequence* const> sequences, std::span<const int64_t> members,
                       at::Device device) {
  BatchRows packed;
  std::vector<std::vector<int64_t>> rows_of;  // of each sequence, its rows in the batch
  const Sequence* before = nullptr;
  for (const int64_t member : members) {
    const Sequence& sequence = *sequences[member];
    const auto length = static_cast<int64_t>(TokensRead(sequence).size());
    const int64_t shared = before ? CommonPrefix(*before, sequence) : 0, own_row = packed.size();
    packed.Append(sequence, shared, length);
    std::vector<int64_t> rows(length);
    if (shared > 0) std::copy_n(rows_of.back().begin(), shared, rows.begin());
    std::iota(rows.begin() + shared, rows.end(), own_row);
    packed.AppendLabels(sequence, [&](int64_t token) { return rows[token]; });
    rows_of.push_back(std::move(rows));
    before = &sequence;
  }
  // Equal lengths together, for attention takes neighbours of one length in one call.
  std::ranges::stable_sort(rows_of, std::greater{}, &std::vector<int64_t>::size);
  std::vector<int64_t> offsets = {0}, expand, collect(packed.size());
  for (const std::vector<int64_t>& rows : rows_of) {
    for (const int64_t row : rows) {
      collect[row] = static_cast<int64_t>(expand.size());  // alike for all that share the row
      expand.push_back(row);
    }
    offsets.push_back(static_cast<int64_t>(expand.size()));
  }
  PackedBatch batch = packed.Finish(std::move(offsets), device);
  batch.expand = UploadIndices(expand, device);
  batch.collect = UploadIndices(collect, device);
  return batch;
}

}  // namespace grin
