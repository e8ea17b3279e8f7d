#pragma once
// Many sequences laid end to end with no padding.

#include <ATen/ATen.h>

#include <vector>

namespace grin {

struct PackedBatch {
  at::Tensor tokens;             // int64 [T]
  at::Tensor positions;          // int64 [T], from 0 in each sequence
  std::vector<int64_t> offsets;  // S + 1: sequence s is rows offsets[s] .. offsets[s + 1]

  // Where sequences share their first tokens, T counts those once, and `offsets` cut the sequences
  // in full, laid end to end: F tokens in all. Undefined where nothing is shared.
  at::Tensor expand;   // int64 [F]: the row of each token
  at::Tensor collect;  // int64 [T]: a token of each row

  // Whether the keys of a row are hidden from every query, its own too: bool [T]. A query that sees
  // nothing at all sees itself. Undefined where nothing is hidden.
  at::Tensor unseen;

  // Where the head runs: row label_rows[n] predicts label_tokens[n].
  at::Tensor label_rows;               // int64 [N]
  at::Tensor label_tokens;             // int64 [N]
  std::vector<int64_t> label_offsets;  // S + 1: labels of sequence s
  at::Tensor label_weights;            // fp32 [N], weight of each label in an objective

  int64_t sequences() const { return static_cast<int64_t>(offsets.size()) - 1; }
};

}  // namespace grin
