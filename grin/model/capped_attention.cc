#include "grin/model/capped_attention.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <limits>

#include "grin/model/record.h"

namespace grin {
namespace {

constexpr int64_t kScoreBytes = int64_t{32} << 20;  // fp32 scores held at a time

struct Scores {
  at::Tensor tanh;    // of the scaled products over the cap: fp32 [c, heads, length, length]
  at::Tensor shares;  // softmax of cap * tanh, masked
};

Scores Score(const at::Tensor& q, const at::Tensor& k, const AttentionSpec& spec,
             const at::Tensor& seen) {
  Scores scores;
  scores.tanh =
      at::matmul(q, k.transpose(-1, -2)).to(at::kFloat).mul_(spec.scale / *spec.softcap).tanh_();
  scores.shares = scores.tanh.mul(*spec.softcap)
                      .masked_fill_(seen.logical_not(), -std::numeric_limits<float>::infinity())
                      .softmax(-1);
  return scores;
}

// Calls visit(begin, count) for slices of the sequences whose scores fit kScoreBytes.
template <typename Visit>
void ForSlices(const at::Tensor& q, Visit visit) {
  const int64_t bytes = 4 * q.size(1) * q.size(2) * q.size(2);
  const int64_t step = std::max<int64_t>(1, kScoreBytes / bytes);
  for (int64_t begin = 0; begin < q.size(0); begin += step) {
    visit(begin, std::min(step, q.size(0) - begin));
  }
}

}  // namespace

at::Tensor CappedAttention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                           const AttentionSpec& spec, const at::Tensor& seen) {
  const auto seen_by = [seen](int64_t begin, int64_t count) {
    return seen.dim() == 4 ? seen.narrow(0, begin, count) : seen;
  };
  const at::Tensor queries = q.detach(), keys = k.detach(), values = v.detach();
  at::Tensor output;
  {
    at::NoGradGuard no_grad;
    output = at::empty_like(queries);
    ForSlices(q, [&](int64_t begin, int64_t count) {
      const Scores scores =
          Score(queries.narrow(0, begin, count), keys.narrow(0, begin, count), spec,
                seen_by(begin, count));
      output.narrow(0, begin, count)
          .copy_(at::matmul(scores.shares.to(v.scalar_type()), values.narrow(0, begin, count)));
    });
  }
  return Record("capped_attention", {q, k, v}, output, [=](const at::Tensor& gradient) {
    const at::Tensor q_gradient = at::empty_like(queries), k_gradient = at::empty_like(keys),
                     v_gradient = at::empty_like(values);
    ForSlices(queries, [&](int64_t begin, int64_t count) {
      const auto slice = [&](const at::Tensor& t) { return t.narrow(0, begin, count); };
      const Scores scores = Score(slice(queries), slice(keys), spec, seen_by(begin, count));
      const at::ScalarType type = gradient.scalar_type();
      const at::Tensor grad = slice(gradient);
      slice(v_gradient).copy_(at::matmul(scores.shares.to(type).transpose(-1, -2), grad));
      // Through the softmax, the cap (d tanh = 1 - tanh^2) and the scale.
      const at::Tensor by_share = at::matmul(grad, slice(values).transpose(-1, -2)).to(at::kFloat);
      const at::Tensor mean = (by_share * scores.shares).sum(-1, true);
      const at::Tensor slope = by_share.sub(mean)
                                   .mul_(scores.shares)
                                   .mul_(scores.tanh.square().neg_().add_(1.0))
                                   .mul_(spec.scale)
                                   .to(type);
      slice(q_gradient).copy_(at::matmul(slope, slice(keys)));
      slice(k_gradient).copy_(at::matmul(slope.transpose(-1, -2), slice(queries)));
    });
    return std::vector{q_gradient, k_gradient, v_gradient};
  });
}

}  // namespace grin
