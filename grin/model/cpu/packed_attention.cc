#include "grin/model/cpu/packed_attention.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <vector>

#include "grin/base/error.h"
#include "grin/model/cpu/dot_products.h"
#include "grin/model/cpu/softmax_kernels.h"
#include "grin/model/record.h"

namespace grin {
namespace {

constexpr int64_t kQueryBlock = 64;  // queries whose scores are held at a time

// Rows of one head: row t lies at data + t * stride.
template <typename T>
struct RowsOfHead {
  T* data;
  int64_t stride;

  T* row(int64_t t) const { return data + t * stride; }
};

// x [T, heads, head_dim] with the numbers of a head side by side.
at::Tensor WithWholeHeads(const at::Tensor& x) { return x.stride(2) == 1 ? x : x.contiguous(); }

RowsOfHead<const float> ReadHead(const at::Tensor& x, int64_t head) {
  return {x.const_data_ptr<float>() + head * x.stride(1), x.stride(0)};
}

RowsOfHead<float> WriteHead(at::Tensor& x, int64_t head) {
  return {x.mutable_data_ptr<float>() + head * x.stride(1), x.stride(0)};
}

// As right factors: rows as columns of a product over their numbers, and as its depth.
RightFactor AsColumns(const float* first_row, int64_t stride) {
  return {.data = first_row, .column_stride = stride, .depth_stride = 1};
}
RightFactor AsDepth(const float* first_row, int64_t stride) {
  return {.data = first_row, .column_stride = 1, .depth_stride = stride};
}

// Queries begin .. end of the packed rows, and the keys first .. end that one of them at least
// sees.
struct QueryBlock {
  int64_t first, begin, end;

  int64_t rows() const { return end - begin; }
  int64_t keys() const { return end - first; }
};

// The blocks of the sequence of rows begin .. end.
template <typename Visit>
void ForQueryBlocks(int64_t begin, int64_t end, const AttentionSpec& spec, Visit visit) {
  for (int64_t at = begin; at < end; at += kQueryBlock) {
    const int64_t first = spec.window ? std::max(begin, at + 1 - *spec.window) : begin;
    visit(QueryBlock{first, at, std::min(at + kQueryBlock, end)});
  }
}

// What every head's attention needs.
struct Attended {
  at::Tensor q, k, v;  // with whole heads
  const bool* unseen;  // null: all is seen
  AttentionSpec spec;
  int64_t dim;

  // Shares of a block's queries in its keys, [rows, keys]: the softmax of the scores of those that
  // a query sees, 0 for the others.
  void Shares(const QueryBlock& block, const RowsOfHead<const float>& queries,
              const RowsOfHead<const float>& keys, float* shares) const {
    const int64_t width = block.keys();
    Multiply({.left = queries.row(block.begin),
              .left_stride = queries.stride,
              .right = AsColumns(keys.row(block.first), keys.stride),
              .rows = block.rows(),
              .columns = width,
              .depth = dim,
              .out = shares,
              .out_stride = width});
    for (int64_t query = block.begin; query < block.end; ++query, shares += width) {
      const int64_t from =
          spec.window ? std::max(block.first, query + 1 - *spec.window) : block.first;
      float* seen = shares + (from - block.first);
      const int64_t count = query + 1 - from;
      if (unseen) HideKeys(unseen + from, count, seen);
      SoftmaxScores(seen, count, static_cast<float>(spec.scale), /*cap=*/0);
      std::fill(shares, seen, 0.0f);
      std::fill(seen + count, shares + width, 0.0f);
    }
  }

 private:
  static void HideKeys(const bool* hidden, int64_t count, float* scores) {
    for (int64_t j = 0; j < count; ++j) {
      if (hidden[j]) scores[j] = -std::numeric_limits<float>::infinity();
    }
    if (std::all_of(hidden, hidden + count, [](bool is) { return is; })) scores[count - 1] = 0;
  }
};

// Of two rows of `count` numbers, in an order of its own whatever the processor.
float Dot(const float* a, const float* b, int64_t count) {
  constexpr int64_t kLanes = 16;
  float sums[kLanes] = {};
  int64_t j = 0;
  for (; j + kLanes <= count; j += kLanes) {
    for (int64_t lane = 0; lane < kLanes; ++lane) sums[lane] += a[j + lane] * b[j + lane];
  }
  for (; j < count; ++j) sums[j % kLanes] += a[j] * b[j];
  for (int64_t half = kLanes / 2; half > 0; half /= 2) {
    for (int64_t lane = 0; lane < half; ++lane) sums[lane] += sums[lane + half];
  }
  return sums[0];
}

// from [rows, columns] -> to [columns, rows]
void Transpose(const float* from, int64_t rows, int64_t columns, float* to) {
  constexpr int64_t kTile = 16;
  for (int64_t c = 0; c < columns; c += kTile) {
    const int64_t end = std::min(c + kTile, columns);
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t i = c; i < end; ++i) to[i * rows + r] = from[r * columns + i];
    }
  }
}

void AttendHead(const Attended& attended, const Segments& segments, int64_t s, int64_t head,
                std::vector<float>& shares, at::Tensor& output) {
  const int64_t group = attended.q.size(1) / attended.k.size(1);
  const auto queries = ReadHead(attended.q, head), keys = ReadHead(attended.k, head / group),
             values = ReadHead(attended.v, head / group);
  const auto mixed = WriteHead(output, head);
  ForQueryBlocks(segments.offsets[s], segments.offsets[s + 1], attended.spec,
                 [&](const QueryBlock& block) {
                   attended.Shares(block, queries, keys, shares.data());
                   Multiply({.left = shares.data(),
                             .left_stride = block.keys(),
                             .right = AsDepth(values.row(block.first), values.stride),
                             .rows = block.rows(),
                             .columns = attended.dim,
                             .depth = block.keys(),
                             .out = mixed.row(block.begin),
                             .out_stride = mixed.stride});
                 });
}

// Room for the backward pass of a block: shares, the slopes of the scores, and one of them
// transposed.
struct BackwardRoom {
  explicit BackwardRoom(int64_t longest)
      : shares(kQueryBlock * longest), slopes(shares.size()), turned(shares.size()) {}

  std::vector<float> shares, slopes, turned;
};

struct Gradients {
  at::Tensor q, k, v;  // contiguous, those of k and v zero at first
};

// Of a key head of sequence s and of the heads that share it, block after block.
void AttendBackward(const Attended& attended, const Segments& segments, int64_t s, int64_t key_head,
                    const at::Tensor& gradient, BackwardRoom& room, Gradients& into) {
  const int64_t group = attended.q.size(1) / attended.k.size(1), dim = attended.dim;
  const auto keys = ReadHead(attended.k, key_head), values = ReadHead(attended.v, key_head);
  const auto by_key = WriteHead(into.k, key_head), by_value = WriteHead(into.v, key_head);
  // Adds rows [keys, queries], which lie transposed, times rows of the queries.
  const auto add_for_keys = [&](const QueryBlock& block, const std::vector<float>& numbers,
                                const RowsOfHead<const float>& of_queries,
                                const RowsOfHead<float>& sums) {
    Transpose(numbers.data(), block.rows(), block.keys(), room.turned.data());
    Multiply({.left = room.turned.data(),
              .left_stride = block.rows(),
              .right = AsDepth(of_queries.row(block.begin), of_queries.stride),
              .rows = block.keys(),
              .columns = dim,
              .depth = block.rows(),
              .out = sums.row(block.first),
              .out_stride = sums.stride,
              .add = true});
  };
  for (int64_t head = key_head * group; head < (key_head + 1) * group; ++head) {
    const auto queries = ReadHead(attended.q, head), by_output = ReadHead(gradient, head);
    const auto by_query = WriteHead(into.q, head);
    ForQueryBlocks(segments.offsets[s], segments.offsets[s + 1], attended.spec,
                   [&](const QueryBlock& block) {
                     const int64_t width = block.keys();
                     attended.Shares(block, queries, keys, room.shares.data());
                     add_for_keys(block, room.shares, by_output, by_value);
                     // d loss / d share, then through the softmax and the scale.
                     Multiply({.left = by_output.row(block.begin),
                               .left_stride = by_output.stride,
                               .right = AsColumns(values.row(block.first), values.stride),
                               .rows = block.rows(),
                               .columns = width,
                               .depth = dim,
                               .out = room.slopes.data(),
                               .out_stride = width});
                     const auto scale = static_cast<float>(attended.spec.scale);
                     for (int64_t i = 0; i < block.rows(); ++i) {
                       const float* share = room.shares.data() + i * width;
                       float* slope = room.slopes.data() + i * width;
                       const float mean = Dot(slope, share, width);
                       for (int64_t j = 0; j < width; ++j)
                         slope[j] = (slope[j] - mean) * share[j] * scale;
                     }
                     Multiply({.left = room.slopes.data(),
                               .left_stride = width,
                               .right = AsDepth(keys.row(block.first), keys.stride),
                               .rows = block.rows(),
                               .columns = dim,
                               .depth = width,
                               .out = by_query.row(block.begin),
                               .out_stride = by_query.stride});
                     add_for_keys(block, room.slopes, queries, by_key);
                   });
  }
}

}  // namespace

at::Tensor CpuAttention(const Segments& segments, const AttentionSpec& spec, const at::Tensor& q,
                        const at::Tensor& k, const at::Tensor& v, const at::Tensor& unseen) {
  for (const at::Tensor& x : {q, k, v}) {
    if (!x.is_cpu() || x.scalar_type() != at::kFloat) {
      Defect("model", "attention of the CPU takes fp32, not {}", c10::toString(x.scalar_type()));
    }
  }
  if (spec.softcap) Defect("model", "attention of the CPU caps no scores");
  Attended attended{.q = WithWholeHeads(q.detach()),
                    .k = WithWholeHeads(k.detach()),
                    .v = WithWholeHeads(v.detach()),
                    .unseen = unseen.defined() ? unseen.const_data_ptr<bool>() : nullptr,
                    .spec = spec,
                    .dim = q.size(2)};
  const int64_t sequences = segments.sequences(), heads = q.size(1), kv_heads = k.size(1);
  at::Tensor output = at::empty(q.sizes(), at::kFloat);
  // Sequences of one head are neighbours, so that each thread gets long ones and short ones.
  at::parallel_for(0, heads * sequences, 1, [&](int64_t begin, int64_t end) {
    std::vector<float> shares(kQueryBlock * segments.longest);
    for (int64_t i = begin; i < end; ++i) {
      AttendHead(attended, segments, i % sequences, i / sequences, shares, output);
    }
  });
  return RecordBackward(
      "cpu_attention", {q, k, v}, output,
      [segments, attended, unseen, sequences, kv_heads](const at::Tensor& of) {
        const at::Tensor gradient = WithWholeHeads(of);
        Gradients into{at::empty(attended.q.sizes(), at::kFloat),
                       at::zeros(attended.k.sizes(), at::kFloat),
                       at::zeros(attended.v.sizes(), at::kFloat)};
        at::parallel_for(0, kv_heads * sequences, 1, [&](int64_t begin, int64_t end) {
          BackwardRoom room(segments.longest);
          for (int64_t i = begin; i < end; ++i) {
            AttendBackward(attended, segments, i % sequences, i / sequences, gradient, room, into);
          }
        });
        return std::vector{into.q, into.k, into.v};
      });
}

}  // namespace grin
