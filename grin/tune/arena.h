#pragma once
// The selected entries of every trained weight end to end: positions, fp32 master values,
// optimiser state and gradient are one flat tensor each, of which a weight's part is a view. So
// there is one norm, one update, one copy to go back to, and one file. Nothing outside the mask is
// read or written. Results do not depend on the number of threads.

#include <ATen/ATen.h>

#include <cstdint>
#include <string>
#include <vector>

namespace grin {

// Views of one weight's part of an arena.
struct MaskedParameter {
  std::string name;
  at::Tensor indices;   // int32 or int64 [n], ascending flat positions; undefined: every entry
  at::Tensor master;    // fp32 [n], the values before rounding to the weight's type
  at::Tensor gradient;  // fp32 [n]
};

struct Arena {
  // One weight: how many entries it has, and how many of them are selected.
  struct Part {
    std::string name;
    int64_t entries = 0;
    int64_t selected = 0;
  };

  Arena() = default;
  // Zeros. Positions are kept for weights of which a part is selected, and are still to be filled
  // in; they are int32 where no weight has more than 2^31 - 1 entries.
  explicit Arena(const std::vector<Part>& parts, at::Device device = at::kCPU);

  at::Tensor indices;              // [those of partly selected weights]
  at::Tensor master, m, v;         // fp32 [n]; m and v: AdamW's means of gradients and squares
  at::Tensor gradient;             // fp32 [n]
  std::vector<MaskedParameter> parameters;  // in the order of the parts
};

// Reads the masters from a contiguous weight (fp32, bf16 or fp16; on the CPU, as it is stored).
void ReadMasters(MaskedParameter& parameter, const at::Tensor& weight);

// gradient += scale * dense[indices], with `dense` contiguous, fp32 or bf16, in the weight's shape.
void GatherGradient(const at::Tensor& dense, double scale, MaskedParameter& parameter);

// gradient += the selected entries of a dense gradient [V, d] that is zero but for the rows
// `tokens` [T], to each of which its row of `rows` [T, d] is added. Takes memory for T rows.
void GatherRows(const at::Tensor& tokens, const at::Tensor& rows, MaskedParameter& parameter);

// Stores the master values, rounded to nearest even, at the selected positions of a contiguous
// weight (fp32, bf16 or fp16), and nowhere else.
void WriteBack(const MaskedParameter& parameter, at::Tensor& weight);

// The same by ATen alone, for tensors of any device. On the CPU those above use loops, which this
// must agree with.
namespace plain {
void GatherGradient(const at::Tensor& dense, double scale, MaskedParameter& parameter);
void GatherRows(const at::Tensor& tokens, const at::Tensor& rows, MaskedParameter& parameter);
void WriteBack(const MaskedParameter& parameter, at::Tensor& weight);
}  // namespace plain

}  // namespace grin
