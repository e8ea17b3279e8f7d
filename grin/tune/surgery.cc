#include "grin/tune/surgery.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "grin/base/table.h"
#include "grin/model/parallel.h"

namespace grin {
namespace {

// forget -= coefficient * retain, with both coefficients of the sums in double: <f, r> / <r, r>, or 0
// where the retain gradient is 0.
void SubtractShare(const at::Tensor& dot, const at::Tensor& square, const at::Tensor& retain,
                   at::Tensor& forget) {
  const at::Tensor share =
      at::where(square.gt(0), dot.div(square), at::zeros({}, dot.options())).to(at::kFloat);
  forget.addcmul_(retain, share, -1);
}

at::Tensor Scalar(double value) { return at::scalar_tensor(value, at::kDouble); }

// sum_j a_j b_j w(j), in an order that the number of threads does not change.
template <typename Weight>
at::Tensor DotOnCpu(const at::Tensor& a, const at::Tensor& b, const Weight& weight) {
  const float* left = a.const_data_ptr<float>();
  const float* right = b.const_data_ptr<float>();
  return Scalar(SumOverPieces(a.numel(), [&](int64_t begin, int64_t end) {
    double sum = 0;
    for (int64_t j = begin; j < end; ++j) sum += double{left[j]} * right[j] * weight(j);
    return sum;
  }));
}

at::Tensor DotOnCpu(const at::Tensor& a, const at::Tensor& b) {
  return DotOnCpu(a, b, [](int64_t) { return 1.0; });
}

// In pieces, so that the copies in float64 stay small beside the gradients.
at::Tensor DotByOperators(const at::Tensor& a, const at::Tensor& b) {
  constexpr int64_t kPiece = int64_t{1} << 24;
  at::Tensor sum = at::zeros({}, a.options().dtype(at::kDouble));
  for (int64_t begin = 0; begin < a.numel(); begin += kPiece) {
    const int64_t count = std::min(kPiece, a.numel() - begin);
    sum.add_(a.narrow(0, begin, count).to(at::kDouble).mul_(b.narrow(0, begin, count)).sum());
  }
  return sum;
}

at::Tensor Dot(const at::Tensor& a, const at::Tensor& b) {
  return a.is_cpu() ? DotOnCpu(a, b) : DotByOperators(a, b);
}

// 1 - beta2^updates, the correction of AdamW's second moments; 1 before its first step, when they
// are 0 and the metric is the same for all.
double SecondCorrection(const SurgeryInput& input) {
  if (input.updates == 0) return 1;
  return 1 - std::pow(input.adamw.beta2, static_cast<double>(input.updates));
}

// The parts of a flat tensor that belong to the weights of an arena, in their order.
template <typename F>
void ForEachPart(const Arena& arena, const F& f) {
  int64_t begin = 0;
  for (const MaskedParameter& parameter : arena.parameters) {
    const int64_t count = parameter.master.numel();
    f(begin, count);
    begin += count;
  }
}

// PCGrad (Yu et al. 2020), one way: only the forget gradient gives way.
void ProjectConflict(const SurgeryInput& input, at::Tensor& forget) {
  const at::Tensor& retain = input.arena.gradient;
  if (!forget.is_cpu()) return plain::ProjectConflict(input, forget);
  SubtractShare(DotOnCpu(forget, retain).clamp_max(0), DotOnCpu(retain, retain), retain, forget);
}

// Geometric disentanglement (arXiv 2511.17100): the step that AdamW's metric makes of what is left is
// orthogonal to the retain gradient, weight by weight.
void ProjectInMetric(const SurgeryInput& input, at::Tensor& forget) {
  if (!forget.is_cpu()) return plain::ProjectInMetric(input, forget);
  const double correction = SecondCorrection(input), eps = input.adamw.eps;
  ForEachPart(input.arena, [&](int64_t begin, int64_t count) {
    const at::Tensor retain = input.arena.gradient.narrow(0, begin, count);
    at::Tensor part = forget.narrow(0, begin, count);
    const float* v = input.arena.v.const_data_ptr<float>() + begin;
    const auto metric = [=](int64_t j) { return 1 / (std::sqrt(v[j] / correction) + eps); };
    SubtractShare(DotOnCpu(part, retain, metric), DotOnCpu(retain, retain, metric), retain, part);
  });
}

// The mask of MUDMAN (arXiv 2506.12484): what a step against the forget gradient would do to an entry
// is done only where it lowers the retain loss too, to first order.
void KeepAgreeing(const SurgeryInput& input, at::Tensor& forget) {
  forget.mul_(forget.sign().eq(input.arena.gradient.sign()));
}

constexpr std::array kSurgeries{
    Surgery{.name = "none", .formula = "g_f"},
    Surgery{.name = "pcgrad",
            .formula = "g_f - min(<g_f, g_r>, 0) / <g_r, g_r> g_r",
            .function = ProjectConflict},
    Surgery{.name = "gu",
            .formula = "g_f - <g_f, g_r> / <g_r, g_r> g_r in AdamW's metric, weight by weight",
            .function = ProjectInMetric},
    Surgery{.name = "agree",
            .formula = "g_f where its sign is that of g_r, else 0",
            .function = KeepAgreeing},
};

}  // namespace

std::span<const Surgery> Surgeries() { return kSurgeries; }

const Surgery& FindSurgery(std::string_view name) {
  return FindRow("tune", "surgery", kSurgeries, name);
}

at::Tensor CosineOf(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor lengths = Dot(a, a).mul(Dot(b, b)).sqrt();
  return at::where(lengths.gt(0), Dot(a, b).div(lengths), lengths);
}

namespace plain {

void ProjectConflict(const SurgeryInput& input, at::Tensor& forget) {
  const at::Tensor& retain = input.arena.gradient;
  SubtractShare(DotByOperators(forget, retain).clamp_max(0), DotByOperators(retain, retain), retain,
                forget);
}

void ProjectInMetric(const SurgeryInput& input, at::Tensor& forget) {
  ForEachPart(input.arena, [&](int64_t begin, int64_t count) {
    const at::Tensor retain = input.arena.gradient.narrow(0, begin, count);
    at::Tensor part = forget.narrow(0, begin, count);
    const at::Tensor metric = input.arena.v.narrow(0, begin, count)
                                  .to(at::kDouble)
                                  .div_(SecondCorrection(input))
                                  .sqrt_()
                                  .add_(input.adamw.eps)
                                  .reciprocal_()
                                  .mul_(retain);
    SubtractShare(metric.mul(part).sum(), metric.mul(retain).sum(), retain, part);
  });
}

}  // namespace plain
}  // namespace grin
