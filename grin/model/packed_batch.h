#pragma once
// Many sequences laid end to end with no padding, and all that a forward pass over them needs to
// know. It is made once per pass, on the host, so that no layer has to wait for the device to
// answer a question about lengths or rows.

#include <ATen/ATen.h>

#include <cstdint>
#include <span>
#include <vector>

namespace grin {

// How packed rows are cut into sequences.
struct Segments {
  // Neighbours of equal length, which attention takes together: rows begin .. begin + count *
  // length.
  struct Run {
    int64_t begin, count, length;
  };

  Segments() : Segments({0}) {}
  // `offsets`, S + 1 of them from 0, ascending: sequence s is rows offsets[s] .. offsets[s + 1].
  explicit Segments(std::vector<int64_t> offsets, at::Device device = at::kCPU);

  int64_t sequences() const { return static_cast<int64_t>(offsets.size()) - 1; }
  int64_t rows() const { return offsets.back(); }

  // For each row the number of rows that its sequence has: int64 [rows].
  at::Tensor Lengths() const;

  std::vector<int64_t> offsets;
  at::Tensor bounds;      // the offsets on the device: int32 [S + 1]
  int64_t longest = 0;    // rows of the longest sequence
  std::vector<Run> runs;  // all sequences that have rows, in their order
};

// Labels and the rows that predict them. A row that sequences share may predict several.
struct LabelledRows {
  LabelledRows() : LabelledRows(std::span<const int64_t>(), std::span<const int64_t>()) {}
  // Row predicted_by[n] predicts token tokens[n], for N labels.
  LabelledRows(std::span<const int64_t> predicted_by, std::span<const int64_t> tokens,
               at::Device device = at::kCPU);

  int64_t size() const { return tokens.size(0); }  // N

  at::Tensor rows;             // int64 [R]: the rows that predict something, ascending, each once
  at::Tensor tokens;           // int64 [N]
  at::Tensor row_of;           // int64 [N]: label n is predicted by rows[row_of[n]]
  at::Tensor order;            // int64 [N]: the labels by row
  std::vector<int64_t> first;  // R + 1: rows[r] predicts the labels order[first[r] .. first[r + 1]]
};

struct PackedBatch {
  at::Tensor tokens;     // int64 [T]
  at::Tensor positions;  // int64 [T], from 0 in each sequence
  Segments segments;     // of the T rows

  // Where sequences share their first tokens, T counts those once, and `segments` cuts the sequences
  // in full, laid end to end: F tokens in all. Undefined where nothing is shared.
  at::Tensor expand;   // int64 [F]: the row of each token
  at::Tensor collect;  // int64 [T]: a token of each row

  // Whether the keys of a row are hidden from every query, its own too: bool [T]. A query that sees
  // nothing at all sees itself. Undefined where nothing is hidden.
  at::Tensor unseen;

  LabelledRows labels;                 // where the head runs: N labels
  std::vector<int64_t> label_offsets;  // S + 1: labels of sequence s
  at::Tensor label_weights;            // fp32 [N], weight of each label in an objective
};

}  // namespace grin
