// Which kernel computes attention, and how the kernels of cards are called. Those run on a card only;
// here the stand-in device has kernels of the same names, which do what LibTorch documents, from what
// they are given and nothing else.

#include "grin/model/varlen_attention.h"

#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/library.h>

#include "grin/model/attention.h"
#include "tests/standin/test_device.h"

namespace grin {
namespace {

AttentionCase OnCard(at::ScalarType type, int64_t head_dim) {
  return {.device = at::Device(at::kCUDA, 0),
          .type = type,
          .head_dim = head_dim,
          .has_flash = true,
          .has_efficient = true};
}

TEST(ChooseAttention, TakesTheFastestKernelThatFits) {
  const auto choose = [](AttentionCase of, auto change) {
    change(of);
    return ChooseAttention(of);
  };
  const auto as_it_is = [](AttentionCase&) {};
  const AttentionCase narrow = OnCard(at::kBFloat16, 64), wide = OnCard(at::kFloat, 64);
  EXPECT_EQ(choose(narrow, as_it_is), AttentionKernel::kFlash);
  EXPECT_EQ(choose(narrow, [](auto& of) { of.windowed = true; }), AttentionKernel::kFlash);
  EXPECT_EQ(choose(narrow, [](auto& of) { of.has_flash = false; }), AttentionKernel::kByLength);
  EXPECT_EQ(choose(narrow, [](auto& of) { of.hides_keys = true; }), AttentionKernel::kByLength);
  EXPECT_EQ(choose(narrow, [](auto& of) { of.head_dim = 44; }), AttentionKernel::kByLength);
  EXPECT_EQ(choose(narrow, [](auto& of) { of.head_dim = 320; }), AttentionKernel::kByLength);
  EXPECT_EQ(choose(wide, as_it_is), AttentionKernel::kEfficient);
  EXPECT_EQ(choose(wide, [](auto& of) { of.windowed = true; }), AttentionKernel::kByLength);
  EXPECT_EQ(choose(wide, [](auto& of) { of.has_efficient = false; }), AttentionKernel::kByLength);
  const auto on_cpu = [](auto& of) { of.device = at::kCPU; };
  EXPECT_EQ(choose(wide, on_cpu), AttentionKernel::kCpu);
  EXPECT_EQ(choose(narrow, on_cpu), AttentionKernel::kByLength);
  EXPECT_EQ(choose(wide, [](auto& of) { of.device = at::Device(at::kPrivateUse1, 0); }),
            AttentionKernel::kByLength);
  for (const AttentionCase& of : {narrow, wide}) {
    EXPECT_EQ(choose(of, [](auto& c) { c.capped = true; }), AttentionKernel::kCapped);
  }
}

// --- the kernels of the stand-in: [T, heads, head_dim], sequences by int32 offsets ---

std::vector<int64_t> OffsetsOf(const at::Tensor& bounds) {
  TORCH_CHECK(bounds.scalar_type() == at::kInt, "offsets are int32");
  const at::Tensor host = bounds.cpu();
  return {host.const_data_ptr<int32_t>(), host.const_data_ptr<int32_t>() + host.numel()};
}

struct SequenceHeads {
  at::Tensor q, k, v;  // double [heads, L, head_dim]
};

SequenceHeads HeadsOf(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, int64_t begin,
                      int64_t end) {
  const int64_t group = q.size(1) / k.size(1);
  const auto rows = [&](const at::Tensor& x, int64_t repeat) {
    const at::Tensor part = x.slice(0, begin, end).to(at::kDouble).unsqueeze(2);
    return part.expand({end - begin, x.size(1), repeat, x.size(2)})
        .reshape({end - begin, x.size(1) * repeat, x.size(2)})
        .transpose(0, 1);
  };
  return {rows(q, 1), rows(k, group), rows(v, group)};
}

// Scores with -infinity where a query must not look: double [heads, L, L].
at::Tensor ScoresOf(const SequenceHeads& heads, double scale, std::optional<int64_t> left) {
  const int64_t length = heads.q.size(1);
  const at::Tensor index = at::arange(length, heads.q.options().dtype(at::kLong));
  const at::Tensor distance = index.unsqueeze(1) - index.unsqueeze(0);
  at::Tensor hidden = distance.lt(0);
  if (left) hidden = hidden.logical_or(distance.gt(*left));
  return at::matmul(heads.q, heads.k.transpose(1, 2))
      .mul(scale)
      .masked_fill(hidden, -std::numeric_limits<double>::infinity());
}

// Output [T, heads, head_dim] in q's type, and log-sums fp32 [heads, T].
std::pair<at::Tensor, at::Tensor> AttendForward(const at::Tensor& q, const at::Tensor& k,
                                                const at::Tensor& v, const at::Tensor& bounds,
                                                double scale, std::optional<int64_t> left) {
  const auto offsets = OffsetsOf(bounds);
  const at::Tensor output = at::empty_like(q);
  const at::Tensor sums = at::empty({q.size(1), q.size(0)}, q.options().dtype(at::kFloat));
  for (size_t s = 0; s + 1 < offsets.size(); ++s) {
    const int64_t begin = offsets[s], end = offsets[s + 1];
    if (begin == end) continue;
    const SequenceHeads heads = HeadsOf(q, k, v, begin, end);
    const at::Tensor scores = ScoresOf(heads, scale, left);
    output.slice(0, begin, end).copy_(at::matmul(scores.softmax(-1), heads.v).transpose(0, 1));
    sums.slice(1, begin, end).copy_(scores.logsumexp(-1));
  }
  return {output, sums};
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> AttendBackward(
    const at::Tensor& gradient, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
    const at::Tensor& output, const at::Tensor& sums, const at::Tensor& bounds, double scale,
    std::optional<int64_t> left) {
  TORCH_CHECK(gradient.sizes() == q.sizes() && output.sizes() == q.sizes(), "sizes");
  const auto offsets = OffsetsOf(bounds);
  const at::Tensor by_q = at::zeros_like(q), by_k = at::zeros_like(k), by_v = at::zeros_like(v);
  for (size_t s = 0; s + 1 < offsets.size(); ++s) {
    const int64_t begin = offsets[s], end = offsets[s + 1], length = end - begin;
    if (length == 0) continue;
    const SequenceHeads heads = HeadsOf(q, k, v, begin, end);
    const auto part = [&](const at::Tensor& x) {
      return x.slice(0, begin, end).to(at::kDouble).transpose(0, 1);
    };
    const at::Tensor shares =
        (ScoresOf(heads, scale, left) - sums.slice(1, begin, end).to(at::kDouble).unsqueeze(2)).exp();
    const at::Tensor by_output = part(gradient);
    const at::Tensor mean = (by_output * part(output)).sum(-1, true);
    const at::Tensor slope =
        (at::matmul(by_output, heads.v.transpose(1, 2)) - mean).mul(shares).mul(scale);
    const auto gathered = [&](const at::Tensor& x) {  // over query heads that share a key head
      return x.view({k.size(1), -1, length, k.size(2)}).sum(1).transpose(0, 1);
    };
    by_q.slice(0, begin, end).copy_(at::matmul(slope, heads.k).transpose(0, 1));
    by_k.slice(0, begin, end).copy_(gathered(at::matmul(slope.transpose(1, 2), heads.q)));
    by_v.slice(0, begin, end).copy_(gathered(at::matmul(shares.transpose(1, 2), by_output)));
  }
  return {by_q, by_k, by_v};
}

using Tensors5 = std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor, at::Tensor>;
using MaybeTensor = std::optional<at::Tensor>;
using MaybeInt = std::optional<int64_t>;

void CheckWindow(bool is_causal, MaybeInt left, MaybeInt right) {
  TORCH_CHECK(is_causal && left.has_value() == right.has_value() && right.value_or(0) == 0,
              "a causal window ends at the query");
}

Tensors5 FlashForward(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                      const MaybeTensor& bounds, const MaybeTensor&, int64_t longest, int64_t,
                      double dropout, bool is_causal, bool, std::optional<double> scale,
                      MaybeInt left, MaybeInt right, const MaybeTensor&, const MaybeTensor&,
                      const MaybeTensor&, MaybeInt) {
  TORCH_CHECK(q.scalar_type() == at::kBFloat16 && q.size(2) % 8 == 0 && dropout == 0, "flash");
  const auto offsets = OffsetsOf(*bounds);
  for (size_t s = 0; s + 1 < offsets.size(); ++s) {
    TORCH_CHECK(offsets[s + 1] - offsets[s] <= longest, "the longest sequence is longer");
  }
  CheckWindow(is_causal, left, right);
  const auto [output, sums] = AttendForward(q, k, v, *bounds, *scale, left);
  const at::Tensor none = at::empty({0}, q.options());
  return {output, sums, none, none, none};
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> FlashBackward(
    const at::Tensor& gradient, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
    const at::Tensor& output, const at::Tensor& sums, const at::Tensor& bounds, const at::Tensor&,
    int64_t, int64_t, double, bool is_causal, const at::Tensor&, const at::Tensor&,
    std::optional<double> scale, MaybeInt left, MaybeInt right) {
  CheckWindow(is_causal, left, right);
  return AttendBackward(gradient, q, k, v, output, sums, bounds, *scale, left);
}

std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor, c10::SymInt, c10::SymInt> EfficientForward(
    const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const MaybeTensor& bias,
    const MaybeTensor& bounds, const MaybeTensor&, MaybeInt longest, MaybeInt, double dropout,
    int64_t mask, bool wants_sums, std::optional<double> scale, const MaybeTensor&, MaybeInt) {
  TORCH_CHECK(q.dim() == 4 && q.size(0) == 1 && q.size(2) == k.size(2) && !bias && dropout == 0 &&
                  mask == 1 && wants_sums,
              "efficient");
  const auto [output, sums] = AttendForward(q[0], k[0], v[0], *bounds, *scale, std::nullopt);
  const at::Tensor none = at::empty({0}, q.options());
  return {output.unsqueeze(0), sums.unsqueeze(0), none, none, c10::SymInt(*longest),
          c10::SymInt(*longest)};
}

std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor> EfficientBackward(
    const at::Tensor& gradient, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
    const MaybeTensor&, const at::Tensor& output, const MaybeTensor& bounds, const MaybeTensor&,
    int64_t, int64_t, const at::Tensor& sums, double, const at::Tensor&, const at::Tensor&,
    int64_t mask, bool bias_gradient, std::optional<double> scale, MaybeInt, MaybeInt, bool) {
  TORCH_CHECK(mask == 1 && !bias_gradient, "efficient");
  const auto [by_q, by_k, by_v] = AttendBackward(gradient[0], q[0], k[0], v[0], output[0], sums[0],
                                                 *bounds, *scale, std::nullopt);
  return {by_q.unsqueeze(0), by_k.unsqueeze(0), by_v.unsqueeze(0), at::Tensor()};
}

void InstallKernels() {
  static torch::Library aten(torch::Library::IMPL, "aten", c10::DispatchKey::PrivateUse1, __FILE__,
                             __LINE__);
  static const bool once = [] {
    aten.impl("_flash_attention_forward", FlashForward);
    aten.impl("_flash_attention_backward", FlashBackward);
    aten.impl("_efficient_attention_forward", EfficientForward);
    aten.impl("_efficient_attention_backward", EfficientBackward);
    return true;
  }();
  (void)once;
}

struct Attended {
  at::Tensor output, by_q, by_k, by_v;
};

template <typename Attend>
Attended RunAttention(const std::vector<at::Tensor>& qkv, const at::Tensor& weights, at::ScalarType type,
             const Attend& attend) {
  std::vector<at::Tensor> inputs;
  for (const at::Tensor& x : qkv) inputs.push_back(OnTestDevice(x.to(type)).requires_grad_(true));
  const at::Tensor output = attend(inputs[0], inputs[1], inputs[2]).flatten(1);
  torch::autograd::backward({output}, {OnTestDevice(weights.to(type))});
  const auto wide = [](const at::Tensor& x) { return x.detach().cpu().to(at::kDouble); };
  return {wide(output), wide(inputs[0].grad()), wide(inputs[1].grad()), wide(inputs[2].grad())};
}

// The largest difference as a share of the largest number.
double Apart(const at::Tensor& a, const at::Tensor& b) {
  return ((a - b).abs().max() / b.abs().max()).item<double>();
}

// Against the same by length, in fp32 from the same bf16 numbers.
TEST(VarlenAttention, KernelsOfCardsGiveWhatTheOthersGive) {
  if (TestDevice().is_cpu()) GTEST_SKIP() << "the CPU has no such kernels";
  InstallKernels();
  at::manual_seed(1);
  const Segments segments({0, 5, 5, 12, 13, 21}, TestDevice());
  for (const int64_t kv_heads : {1, 2, 4}) {
    for (const std::optional<int64_t> window : {std::optional<int64_t>(), {3}}) {
      const AttentionSpec spec{.scale = 0.3, .window = window};
      const auto random = [](int64_t heads) {
        return at::randn({21, heads, 16}).to(at::kBFloat16).to(at::kFloat);
      };
      const std::vector<at::Tensor> qkv = {random(4), random(kv_heads), random(kv_heads)};
      const at::Tensor weights = at::randn({21, 64}).to(at::kBFloat16).to(at::kFloat);
      PackedAttention plain(segments);
      const Attended expected =
          RunAttention(qkv, weights, at::kFloat,
              [&](auto& q, auto& k, auto& v) { return plain.Attend(0, spec, q, k, v); });
      const auto expect_near = [&](const Attended& got, double tolerance) {
        EXPECT_LT(Apart(got.output, expected.output), tolerance);
        EXPECT_LT(Apart(got.by_q, expected.by_q), tolerance);
        EXPECT_LT(Apart(got.by_k, expected.by_k), tolerance);
        EXPECT_LT(Apart(got.by_v, expected.by_v), tolerance);
      };
      // The output is rounded to bf16, and read again on the way back: two units of its last place.
      expect_near(RunAttention(qkv, weights, at::kBFloat16,
                      [&](auto& q, auto& k, auto& v) {
                        return FlashAttention(segments, spec, q, k, v);
                      }),
                  0x1p-7);
      if (window) continue;
      expect_near(RunAttention(qkv, weights, at::kFloat,
                      [&](auto& q, auto& k, auto& v) {
                        return EfficientAttention(segments, spec, q, k, v);
                      }),
                  1e-5);
    }
  }
}

}  // namespace
}  // namespace grin
