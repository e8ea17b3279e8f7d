#include "grin/model/attention.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "grin/base/error.h"
#include "grin/model/cpu/packed_attention.h"
#include "grin/model/product.h"
#include "grin/model/record.h"
#include "grin/model/varlen_attention.h"

namespace grin {
namespace {

// True where query i may see key j: j <= i and, with a window, i - window < j. bool [length,
// length]
at::Tensor SeenBy(int64_t length, std::optional<int64_t> window, at::Device device) {
  const at::Tensor index = at::arange(length, at::TensorOptions(at::kLong).device(device));
  const at::Tensor distance = index.unsqueeze(1) - index.unsqueeze(0);
  const at::Tensor causal = distance.ge(0);
  return window ? causal.logical_and(distance.lt(*window)) : causal;
}

// The same for several sequences of that length, without the keys that are hidden: `unseen` bool
// [count, length] -> bool [count, 1, length, length]. A query that would see nothing sees itself.
at::Tensor SeenBy(const at::Tensor& unseen, std::optional<int64_t> window) {
  const int64_t length = unseen.size(1);
  const at::Tensor seen = SeenBy(length, window, unseen.device())
                              .logical_and(unseen.logical_not().unsqueeze(1).unsqueeze(1));
  const at::Tensor itself = at::eye(length, unseen.options());
  return seen.logical_or(seen.any(-1, /*keepdim=*/true).logical_not().logical_and(itself));
}

// Rows of a run as [count, heads, length, head_dim].
at::Tensor AsHeads(const at::Tensor& rows, const Segments::Run& run) {
  return rows.narrow(0, run.begin, run.count * run.length)
      .view({run.count, run.length, rows.size(1), rows.size(2)})
      .transpose(1, 2);
}

constexpr int64_t kScoreBytes = int64_t{32} << 20;  // fp32 scores held at a time

// Query heads that share a key head as rows of one matrix, so that keys and values need not be
// repeated: [count, heads, length, n] -> [count, kv_heads, heads / kv_heads * length, n].
at::Tensor ByKeyHead(const at::Tensor& x, int64_t kv_heads) {
  return x.reshape({x.size(0), kv_heads, x.size(1) / kv_heads * x.size(2), x.size(3)});
}

struct CappedScores {
  at::Tensor tanh;    // of the scaled products over the cap: fp32 [c, heads, length, length]
  at::Tensor shares;  // softmax of cap * tanh, masked
};

// q [c, heads, length, head_dim], k [c, kv_heads, length, head_dim]
CappedScores ScoreCapped(const at::Tensor& q, const at::Tensor& k, const AttentionSpec& spec,
                         const at::Tensor& seen) {
  CappedScores scores;
  scores.tanh = PairwiseProduct(ByKeyHead(q, k.size(1)), k.transpose(-1, -2))
                    .to(at::kFloat)
                    .mul_(spec.scale / *spec.softcap)
                    .tanh_()
                    .view({q.size(0), q.size(1), q.size(2), k.size(2)});
  scores.shares = scores.tanh.mul(*spec.softcap)
                      .masked_fill_(seen.logical_not(), -std::numeric_limits<float>::infinity())
                      .softmax(-1);
  return scores;
}

// Calls visit(begin, count) for slices of the sequences whose scores fit kScoreBytes.
template <typename Visit>
void ForScoreSlices(const at::Tensor& q, Visit visit) {
  const int64_t bytes = 4 * q.size(1) * q.size(2) * q.size(2);
  const int64_t step = std::max<int64_t>(1, kScoreBytes / bytes);
  for (int64_t begin = 0; begin < q.size(0); begin += step) {
    visit(begin, std::min(step, q.size(0) - begin));
  }
}

}  // namespace

std::optional<at::Tensor> PackedAttention::Seen(const Segments::Run& run,
                                                const AttentionSpec& spec) {
  const std::optional<int64_t> window =
      spec.window && run.length > *spec.window ? spec.window : std::nullopt;
  if (!unseen_.defined() && !window && !spec.softcap) return std::nullopt;
  at::Tensor& mask = masks_[{unseen_.defined() ? run.begin : -1, run.length, window}];
  if (!mask.defined() && unseen_.defined()) {
    const at::Tensor rows = unseen_.narrow(0, run.begin, run.count * run.length);
    mask = SeenBy(rows.view({run.count, run.length}), window);
  } else if (!mask.defined()) {
    mask = SeenBy(run.length, window, segments_.bounds.device());
  }
  return mask;
}

at::Tensor PackedAttention::Attend(int64_t layer, const AttentionSpec& spec, const at::Tensor& q,
                                   const at::Tensor& k, const at::Tensor& v) {
  if (WidensFactors(q)) {
    return Attend(layer, spec, q.to(at::kFloat), k.to(at::kFloat), v.to(at::kFloat))
        .to(q.scalar_type());
  }
  AttentionCase of{.device = q.device(),
                   .type = q.scalar_type(),
                   .head_dim = q.size(2),
                   .capped = spec.softcap.has_value(),
                   .windowed = spec.window && segments_.longest > *spec.window,
                   .hides_keys = unseen_.defined()};
  AskCard(of);
  switch (ChooseAttention(of)) {
    case AttentionKernel::kFlash:
      return FlashAttention(segments_, spec, q, k, v).flatten(1);
    case AttentionKernel::kEfficient:
      return EfficientAttention(segments_, spec, q, k, v).flatten(1);
    case AttentionKernel::kCpu:
      return CpuAttention(segments_, spec, q, k, v, unseen_).flatten(1);
    case AttentionKernel::kByLength:
    case AttentionKernel::kCapped:
      return AttendByLength(spec, q, k, v);
  }
  Defect("model", "unknown attention kernel");
}

at::Tensor PackedAttention::AttendByLength(const AttentionSpec& spec, const at::Tensor& q,
                                           const at::Tensor& k, const at::Tensor& v) {
  std::vector<at::Tensor> outputs;
  for (const Segments::Run& run : segments_.runs) {
    const at::Tensor queries = AsHeads(q, run), keys = AsHeads(k, run), values = AsHeads(v, run);
    const std::optional<at::Tensor> seen = Seen(run, spec);
    const at::Tensor out =
        spec.softcap ? CappedAttention(queries, keys, values, spec, *seen)
                     : at::scaled_dot_product_attention(queries, keys, values, seen, 0.0,
                                                        /*is_causal=*/!seen, spec.scale,
                                                        /*enable_gqa=*/q.size(1) != k.size(1));
    outputs.push_back(out.transpose(1, 2).reshape({run.count * run.length, q.size(1) * q.size(2)}));
  }
  return outputs.size() == 1 ? outputs[0] : at::cat(outputs, 0);
}

at::Tensor SharedPrefixAttention::Attend(int64_t layer, const AttentionSpec& spec,
                                         const at::Tensor& q, const at::Tensor& k,
                                         const at::Tensor& v) {
  const auto whole = [&](const at::Tensor& rows) { return rows.index_select(0, expand_); };
  return packed_.Attend(layer, spec, whole(q), whole(k), whole(v)).index_select(0, collect_);
}

at::Tensor CappedAttention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                           const AttentionSpec& spec, const at::Tensor& seen) {
  const auto seen_by = [seen](int64_t begin, int64_t count) {
    return seen.dim() == 4 ? seen.narrow(0, begin, count) : seen;
  };
  const int64_t kv_heads = k.size(1);
  const at::Tensor queries = q.detach(), keys = k.detach(), values = v.detach();
  at::Tensor output;
  {
    at::NoGradGuard no_grad;
    output = at::empty_like(queries);
    ForScoreSlices(queries, [&](int64_t begin, int64_t count) {
      const auto slice = [&](const at::Tensor& t) { return t.narrow(0, begin, count); };
      const CappedScores scores =
          ScoreCapped(slice(queries), slice(keys), spec, seen_by(begin, count));
      const at::Tensor shares = ByKeyHead(scores.shares.to(v.scalar_type()), kv_heads);
      slice(output).copy_(PairwiseProduct(shares, slice(values)).view(slice(output).sizes()));
    });
  }
  return RecordBackward("capped_attention", {q, k, v}, output, [=](const at::Tensor& gradient) {
    const at::Tensor q_gradient = at::empty_like(queries), k_gradient = at::empty_like(keys),
                     v_gradient = at::empty_like(values);
    ForScoreSlices(queries, [&](int64_t begin, int64_t count) {
      const auto slice = [&](const at::Tensor& t) { return t.narrow(0, begin, count); };
      const CappedScores scores =
          ScoreCapped(slice(queries), slice(keys), spec, seen_by(begin, count));
      const at::ScalarType type = gradient.scalar_type();
      const at::Tensor grad = ByKeyHead(slice(gradient), kv_heads);
      const at::Tensor shares = ByKeyHead(scores.shares, kv_heads);
      slice(v_gradient).copy_(PairwiseProduct(shares.to(type).transpose(-1, -2), grad));
      // Through the softmax, the cap (d tanh = 1 - tanh^2) and the scale.
      const at::Tensor by_share =
          PairwiseProduct(grad, slice(values).transpose(-1, -2)).to(at::kFloat);
      const at::Tensor mean = (by_share * shares).sum(-1, true);
      const at::Tensor slope = by_share.sub(mean)
                                   .mul_(shares)
                                   .mul_(ByKeyHead(scores.tanh, kv_heads).square().neg_().add_(1.0))
                                   .mul_(spec.scale)
                                   .to(type);
      slice(q_gradient).copy_(PairwiseProduct(slope, slice(keys)).view(slice(q_gradient).sizes()));
      slice(k_gradient)
          .copy_(PairwiseProduct(slope.transpose(-1, -2), ByKeyHead(slice(queries), kv_heads)));
    });
    return std::vector{q_gradient, k_gradient, v_gradient};
  });
}

}  // namespace grin
