#include "grin/model/attention.h"

namespace grin {
namespace {

// True where query i may see key j: i - window < j <= i. [length, length]
at::Tensor WindowMask(int64_t length, int64_t window, at::Device device) {
  const at::Tensor index = at::arange(length, at::TensorOptions(device));
  const at::Tensor distance = index.unsqueeze(1) - index.unsqueeze(0);
  return distance.ge(0).logical_and(distance.lt(window));
}

// Rows of `count` sequences of one length as [count, heads, length, head_dim].
at::Tensor AsHeads(const at::Tensor& rows, int64_t begin, int64_t count, int64_t length) {
  return rows.narrow(0, begin, count * length)
      .view({count, length, rows.size(1), rows.size(2)})
      .transpose(1, 2);
}

}  // namespace

PackedAttention::PackedAttention(std::vector<int64_t> offsets, std::optional<int64_t> window)
    : offsets_(std::move(offsets)), window_(window) {}

at::Tensor PackedAttention::Attend(int64_t, const at::Tensor& q, const at::Tensor& k,
                                   const at::Tensor& v) {
  // The CPU kernel wants one key head per query head.
  const int64_t groups = q.size(1) / k.size(1);
  const at::Tensor keys = groups == 1 ? k : k.repeat_interleave(groups, 1);
  const at::Tensor values = groups == 1 ? v : v.repeat_interleave(groups, 1);

  std::vector<at::Tensor> outputs;
  const size_t sequences = offsets_.size() - 1;
  for (size_t first = 0, next; first < sequences; first = next) {
    // Neighbours of equal length go through the kernel together.
    const int64_t length = offsets_[first + 1] - offsets_[first];
    for (next = first + 1; next < sequences; ++next) {
      if (offsets_[next + 1] - offsets_[next] != length) break;
    }
    if (length == 0) continue;
    const auto count = static_cast<int64_t>(next - first);
    const int64_t begin = offsets_[first];
    const bool windowed = window_ && length > *window_;
    const auto mask = windowed ? std::optional(WindowMask(length, *window_, q.device()))
                               : std::nullopt;
    const at::Tensor out = at::scaled_dot_product_attention(
        AsHeads(q, begin, count, length), AsHeads(keys, begin, count, length),
        AsHeads(values, begin, count, length), mask, 0.0, /*is_causal=*/!windowed);
    outputs.push_back(out.transpose(1, 2).reshape({count * length, q.size(1) * q.size(2)}));
  }
  return outputs.size() == 1 ? outputs[0] : at::cat(outputs, 0);
}

}  // namespace grin
