#include "grin/data/shared_prefix.h"

#include <algorithm>
#include <numeric>

#include "grin/data/packing.h"

namespace grin {
namespace {

constexpr int64_t kMostExpanded = 4;  // times the budget
constexpr int64_t kMostMembers = 64;  // bounds the time of planning

int64_t CommonPrefix(std::span<const int32_t> a, std::span<const int32_t> b) {
  return std::ranges::mismatch(a, b).in1 - a.begin();
}

struct Cost {
  int64_t packed = 0, expanded = 0;  // tokens

  Cost operator+(const Cost& other) const {
    return {packed + other.packed, expanded + other.expanded};
  }
  bool Fits(int64_t token_budget) const {
    return packed <= token_budget && expanded <= kMostExpanded * token_budget;
  }
};

Cost CostOf(std::span<const Sequence* const> sequences, const PrefixGroup& group) {
  Cost cost{.packed = group.prefix};
  for (const int64_t i : group.members) {
    const auto length = static_cast<int64_t>(TokensRead(*sequences[i]).size());
    cost.packed += length - group.prefix;
    cost.expanded += length;
  }
  return cost;
}

// In alphabetic order sequences that share most are neighbours. A group of n neighbours saves
// (n - 1) times what all of them share; the best cut into groups is found from left to right.
std::vector<PrefixGroup> GroupByPrefix(std::span<const Sequence* const> sequences,
                                       int64_t token_budget) {
  const auto count = static_cast<int64_t>(sequences.size());
  std::vector<int64_t> order(count);
  std::iota(order.begin(), order.end(), int64_t{0});
  const auto read = [&](int64_t at) { return TokensRead(*sequences[order[at]]); };
  std::ranges::stable_sort(order, [&](int64_t a, int64_t b) {
    return std::ranges::lexicographical_compare(TokensRead(*sequences[a]),
                                                TokensRead(*sequences[b]));
  });
  std::vector<int64_t> shared(count);  // with the neighbour before
  for (int64_t i = 1; i < count; ++i) shared[i] = CommonPrefix(read(i - 1), read(i));

  // Of the first `end` sequences: the most tokens saved, and where the last group begins.
  std::vector<int64_t> saved(count + 1), begin_of(count + 1), prefix_of(count + 1);
  for (int64_t end = 1; end <= count; ++end) {
    saved[end] = -1;
    int64_t prefix = 0, expanded = 0;
    for (int64_t begin = end - 1; begin >= 0 && end - begin <= kMostMembers; --begin) {
      const int64_t members = end - begin;
      if (members == 2) prefix = shared[end - 1];
      if (members > 2) prefix = std::min(prefix, shared[begin + 1]);
      expanded += static_cast<int64_t>(read(begin).size());
      if (members > 1 && (prefix == 0 || expanded > kMostExpanded * token_budget)) break;
      const int64_t total = saved[begin] + (members - 1) * prefix;
      if (total > saved[end]) {
        saved[end] = total;
        begin_of[end] = begin;
        prefix_of[end] = prefix;
      }
    }
  }
  std::vector<PrefixGroup> groups;
  for (int64_t end = count; end > 0; end = begin_of[end]) {
    groups.push_back({{order.begin() + begin_of[end], order.begin() + end}, prefix_of[end]});
  }
  return groups;
}

}  // namespace

std::vector<std::vector<PrefixGroup>> PlanSharedPasses(std::span<const Sequence* const> sequences,
                                                       int64_t token_budget) {
  std::vector<PrefixGroup> groups = GroupByPrefix(sequences, token_budget);
  // Long ones first, which fails early where memory is short.
  const auto longest = [&](const PrefixGroup& group) {
    int64_t length = 0;
    for (const int64_t i : group.members) length = std::max(length, sequences[i]->length());
    return length;
  };
  std::ranges::stable_sort(groups, std::greater{}, longest);
  std::vector<std::vector<PrefixGroup>> passes;
  Cost filled;
  for (PrefixGroup& group : groups) {
    const Cost cost = CostOf(sequences, group);
    if (passes.empty() || !(filled + cost).Fits(token_budget)) {
      passes.emplace_back();
      filled = {};
    }
    filled = filled + cost;
    passes.back().push_back(std::move(group));
  }
  return passes;
}

PackedBatch PackShared(std::span<const Sequence* const> sequences,
                       std::span<const PrefixGroup> groups, at::Device device) {
  BatchRows packed;
  std::vector<std::vector<int64_t>> rows_of;  // of each sequence, its rows in the batch
  for (const PrefixGroup& group : groups) {
    const int64_t prefix_row = packed.size();
    packed.Append(*sequences[group.members.front()], 0, group.prefix);
    for (const int64_t member : group.members) {
      const Sequence& sequence = *sequences[member];
      const int64_t own_row = packed.size();
      const auto length = static_cast<int64_t>(TokensRead(sequence).size());
      packed.Append(sequence, group.prefix, length);
      std::vector<int64_t>& rows = rows_of.emplace_back(length);
      std::iota(rows.begin(), rows.begin() + group.prefix, prefix_row);
      std::iota(rows.begin() + group.prefix, rows.end(), own_row);
      packed.AppendLabels(sequence, [&](int64_t token) { return rows[token]; });
    }
  }
  PackedBatch batch = packed.Finish(device);
  // Equal lengths together, for attention takes neighbours of one length in one call.
  std::ranges::stable_sort(rows_of, std::greater{}, &std::vector<int64_t>::size);
  batch.offsets = {0};
  std::vector<int64_t> expand, collect(packed.size());
  for (const std::vector<int64_t>& rows : rows_of) {
    for (const int64_t row : rows) {
      collect[row] = static_cast<int64_t>(expand.size());  // alike for all that share the row
      expand.push_back(row);
    }
    batch.offsets.push_back(static_cast<int64_t>(expand.size()));
  }
  batch.expand = at::tensor(expand, at::kLong).to(device);
  batch.collect = at::tensor(collect, at::kLong).to(device);
  return batch;
}

}  // namespace grin
