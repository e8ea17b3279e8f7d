#pragma once
// Which kernel computes the attention of packed rows, and the kernels of cards, which take sequences of
// any lengths in one call.

#include <ATen/ATen.h>

#include <string_view>

#include "grin/model/config.h"
#include "grin/model/packed_batch.h"

namespace grin {

enum class AttentionKernel {
  kByLength,   // one call of scaled_dot_product_attention for neighbours of equal length
  kCapped,     // the same by CappedAttention
  kFlash,      // LibTorch's flash attention over the offsets of all sequences
  kEfficient,  // LibTorch's memory-efficient attention over them
  kCpu,        // this program's own over them: see CpuAttention
};

// What the choice depends on.
struct AttentionCase {
  at::Device device = at::kCPU;
  at::ScalarType type = at::kFloat;  // of q, k and v
  int64_t head_dim = 0;
  bool capped = false;       // scores go through a tanh
  bool windowed = false;     // some query is further from a key before it than the window reaches
  bool hides_keys = false;   // some keys are hidden from all queries
  bool has_flash = false;    // what the card can do, see KernelsOf
  bool has_efficient = false;
};

// The one place where it is decided:
//   a softcap               -> kCapped, on any device
//   the CPU, fp32          -> kCpu, windows and hidden keys included
//   CUDA, bf16 or fp16      -> kFlash, windows and shared keys included
//   CUDA, fp32, no window   -> kEfficient
//   all else                -> kByLength
AttentionKernel ChooseAttention(const AttentionCase& of);

// Sets has_flash and has_efficient by trying both once for each card.
void AskCard(AttentionCase& of);

// q [T, heads, head_dim], k and v [T, kv_heads, head_dim] on CUDA -> [T, heads, head_dim]. Each row
// sees the rows of its sequence up to itself, the last spec.window of them. Recorded on the tape.
at::Tensor FlashAttention(const Segments& segments, const AttentionSpec& spec, const at::Tensor& q,
                          const at::Tensor& k, const at::Tensor& v);
// Without spec.window.
at::Tensor EfficientAttention(const Segments& segments, const AttentionSpec& spec,
                              const at::Tensor& q, const at::Tensor& k, const at::Tensor& v);

// One new row for each of B slots of a cache, which holds it already: q [B, heads, head_dim], keys and
// values [slots, capacity, kv_heads, head_dim], contiguous, lengths int32 [B] with the new rows counted,
// at most `longest` -> [B, heads, head_dim]. For bf16 and fp16 on CUDA. Nothing is recorded.
at::Tensor FlashStep(const AttentionSpec& spec, const at::Tensor& q, const at::Tensor& keys,
                     const at::Tensor& values, const at::Tensor& lengths, int64_t longest);

}  // namespace grin
