#include "grin/model/attention.h"

#include <optional>

#include "grin/model/attention_mask.h"
#include "grin/model/capped_attention.h"

namespace grin {
namespace {

// Rows of `count` sequences of one length as [count, heads, length, head_dim].
at::Tensor AsHeads(const at::Tensor& rows, int64_t begin, int64_t count, int64_t length) {
  return rows.narrow(0, begin, count * length)
      .view({count, length, rows.size(1), rows.size(2)})
      .transpose(1, 2);
}

// Causal attention of sequences of one length, all [count, heads, length, head_dim]. `unseen` is
// bool [count, length] or undefined.
at::Tensor AttendTogether(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                          const AttentionSpec& spec, const at::Tensor& unseen) {
  const int64_t length = q.size(2);
  const bool windowed = spec.window && length > *spec.window;
  std::optional<at::Tensor> seen;  // where it is more than causal
  if (unseen.defined()) {
    seen = SeenBy(unseen, spec.window);
  } else if (windowed || spec.softcap) {
    seen = SeenBy(length, spec.window, q.device());
  }
  if (spec.softcap) return CappedAttention(q, k, v, spec, *seen);
  return at::scaled_dot_product_attention(q, k, v, seen, 0.0, /*is_causal=*/!seen, spec.scale);
}

}  // namespace

at::Tensor PackedAttention::Attend(int64_t, const AttentionSpec& spec, const at::Tensor& q,
                                   const at::Tensor& k, const at::Tensor& v) {
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
    const at::Tensor unseen = unseen_.defined()
                                  ? unseen_.narrow(0, begin, count * length).view({count, length})
                                  : unseen_;
    const at::Tensor out =
        AttendTogether(AsHeads(q, begin, count, length), AsHeads(keys, begin, count, length),
                       AsHeads(values, begin, count, length), spec, unseen);
    outputs.push_back(out.transpose(1, 2).reshape({count * length, q.size(1) * q.size(2)}));
  }
  return outputs.size() == 1 ? outputs[0] : at::cat(outputs, 0);
}

at::Tensor PackedAttention::SequenceLengths() const {
  std::vector<int64_t> lengths;
  for (size_t s = 0; s + 1 < offsets_.size(); ++s) {
    const int64_t length = offsets_[s + 1] - offsets_[s];
    lengths.insert(lengths.end(), length, length);
  }
  return at::tensor(lengths, at::kLong);
}

at::Tensor SharedPrefixAttention::Attend(int64_t layer, const AttentionSpec& spec,
                                         const at::Tensor& q, const at::Tensor& k,
                                         const at::Tensor& v) {
  const auto whole = [&](const at::Tensor& rows) { return rows.index_select(0, expand_); };
  return packed_.Attend(layer, spec, whole(q), whole(k), whole(v)).index_select(0, collect_);
}

at::Tensor SharedPrefixAttention::SequenceLengths() const {
  return packed_.SequenceLengths().index_select(0, collect_.cpu());
}

}  // namespace grin
