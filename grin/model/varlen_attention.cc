#include "grin/model/varlen_attention.h"

#include <ATen/Context.h>
#include <ATen/core/grad_mode.h>

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <tuple>
#include <utility>

#include "grin/model/record.h"

namespace grin {
namespace {

constexpr int64_t kCausal = 1;  // of _efficient_attention: row i sees the keys 0 .. i

bool Works(const std::function<void()>& attend) {
  try {
    attend();
    return true;
  } catch (const c10::Error&) {  // this card, or this build of LibTorch, has no such kernel
    return false;
  }
}

// As long as this lives, LibTorch's kernels add in a fixed order where they can choose.
class FixedOrder {
 public:
  FixedOrder()
      : before_(at::globalContext().deterministicAlgorithms()),
        warned_(at::globalContext().deterministicAlgorithmsWarnOnly()),
        filled_(at::globalContext().deterministicFillUninitializedMemory()) {
    at::globalContext().setDeterministicFillUninitializedMemory(false);
    at::globalContext().setDeterministicAlgorithms(true, /*warn_only=*/true);
  }
  ~FixedOrder() {
    at::globalContext().setDeterministicAlgorithms(before_, warned_);
    at::globalContext().setDeterministicFillUninitializedMemory(filled_);
  }
  FixedOrder(const FixedOrder&) = delete;
  FixedOrder& operator=(const FixedOrder&) = delete;

 private:
  bool before_, warned_, filled_;
};

// Two sequences of a few rows.
struct SmallCase {
  SmallCase(at::Device device, at::ScalarType type)
      : segments({0, 3, 8}, device),
        x(at::zeros({8, 1, 64}, at::TensorOptions(type).device(device))) {}

  Segments segments;
  at::Tensor x;
};

}  // namespace

AttentionKernel ChooseAttention(const AttentionCase& of) {
  if (of.capped) return AttentionKernel::kCapped;
  if (of.device.is_cpu() && of.type == at::kFloat) return AttentionKernel::kCpu;
  if (!of.device.is_cuda() || of.hides_keys) return AttentionKernel::kByLength;
  const bool narrow = of.type == at::kBFloat16 || of.type == at::kHalf;
  if (narrow && of.has_flash && of.head_dim % 8 == 0 && of.head_dim <= 256) {
    return AttentionKernel::kFlash;
  }
  if (of.type == at::kFloat && of.has_efficient && !of.windowed && of.head_dim % 4 == 0) {
    return AttentionKernel::kEfficient;
  }
  return AttentionKernel::kByLength;
}

void AskCard(AttentionCase& of) {
  if (!of.device.is_cuda()) return;
  static std::mutex mutex;
  static std::map<c10::DeviceIndex, std::pair<bool, bool>> known;
  const std::lock_guard lock(mutex);
  const auto [found, is_new] = known.try_emplace(of.device.index());
  if (is_new) {
    const at::NoGradGuard no_grad;
    const SmallCase narrow(of.device, at::kBFloat16), wide(of.device, at::kFloat);
    found->second = {
        Works([&] { FlashAttention(narrow.segments, {.scale = 1}, narrow.x, narrow.x, narrow.x); }),
        Works([&] { EfficientAttention(wide.segments, {.scale = 1}, wide.x, wide.x, wide.x); })};
  }
  std::tie(of.has_flash, of.has_efficient) = found->second;
}

at::Tensor FlashAttention(const Segments& segments, const AttentionSpec& spec, const at::Tensor& q,
                          const at::Tensor& k, const at::Tensor& v) {
  const at::Tensor queries = q.detach(), keys = k.detach(), values = v.detach();
  const at::Tensor bounds = segments.bounds;
  const int64_t longest = segments.longest;
  const double scale = spec.scale;
  // A window of w keys: the row's own and w - 1 to the left.
  const auto left = spec.window ? std::optional<int64_t>(*spec.window - 1) : std::nullopt;
  const auto right = spec.window ? std::optional<int64_t>(0) : std::nullopt;
  at::Tensor output, log_sums, rng_state, unused;
  {
    const at::NoGradGuard no_grad;
    std::tie(output, log_sums, rng_state, unused, std::ignore) = at::_flash_attention_forward(
        queries, keys, values, bounds, bounds, longest, longest, /*dropout_p=*/0.0,
        /*is_causal=*/true, /*return_debug_mask=*/false, scale, left, right);
  }
  const at::Tensor attended = output.detach();  // not what is put on the tape, which would hold itself
  return RecordBackward("flash_attention", {q, k, v}, output, [=](const at::Tensor& gradient) {
    const FixedOrder fixed;
    const auto [by_q, by_k, by_v] = at::_flash_attention_backward(
        gradient.contiguous(), queries, keys, values, attended, log_sums, bounds, bounds,
        longest, longest, /*dropout_p=*/0.0, /*is_causal=*/true, rng_state, unused, scale, left,
        right);
    return std::vector{by_q, by_k, by_v};
  });
}

at::Tensor EfficientAttention(const Segments& segments, const AttentionSpec& spec,
                              const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
  const int64_t rows = q.size(0), heads = q.size(1), kv_heads = k.size(1), dim = q.size(2);
  // The kernel wants a key head for every query head. [1, T, heads, head_dim]
  const auto spread = [=](const at::Tensor& x) {
    return x.unsqueeze(2)
        .expand({rows, kv_heads, heads / kv_heads, dim})
        .reshape({1, rows, heads, dim});
  };
  const at::Tensor queries = q.detach().unsqueeze(0), keys = k.detach(), values = v.detach();
  const at::Tensor bounds = segments.bounds;
  const int64_t longest = segments.longest;
  const double scale = spec.scale;
  at::Tensor output, log_sums, seed, offset;
  {
    const at::NoGradGuard no_grad;
    std::tie(output, log_sums, seed, offset, std::ignore, std::ignore) =
        at::_efficient_attention_forward(queries, spread(keys), spread(values), /*bias=*/{}, bounds,
                                         bounds, longest, longest, /*dropout_p=*/0.0, kCausal,
                                         /*compute_log_sumexp=*/true, scale);
  }
  const at::Tensor attended = output.squeeze(0);
  return RecordBackward("efficient_attention", {q, k, v}, attended, [=](const at::Tensor& gradient) {
    const FixedOrder fixed;
    const auto [by_q, by_k, by_v, by_bias] = at::_efficient_attention_backward(
        gradient.contiguous().unsqueeze(0), queries, spread(keys), spread(values), /*bias=*/{},
        output, bounds, bounds, longest, longest, log_sums, /*dropout_p=*/0.0, seed, offset, kCausal,
        /*bias_requires_grad=*/false, scale);
    const auto gathered = [=](const at::Tensor& x) {
      return x.view({rows, kv_heads, heads / kv_heads, dim}).sum(2);
    };
    return std::vector{by_q.squeeze(0), gathered(by_k), gathered(by_v)};
  });
}

at::Tensor FlashStep(const AttentionSpec& spec, const at::Tensor& q, const at::Tensor& keys,
                     const at::Tensor& values, const at::Tensor& lengths, int64_t longest) {
  const at::NoGradGuard no_grad;
  const int64_t rows = q.size(0), capacity = keys.size(1);
  const at::Tensor query_bounds = at::arange(rows + 1, lengths.options());
  // A slot's keys begin where its room begins; `lengths` says how many there are.
  const at::Tensor key_bounds = query_bounds * capacity;
  const auto flat = [&](const at::Tensor& x) { return x.narrow(0, 0, rows).flatten(0, 1); };
  const auto left = spec.window ? std::optional<int64_t>(*spec.window - 1) : std::nullopt;
  const auto right = spec.window ? std::optional<int64_t>(0) : std::nullopt;
  return std::get<0>(at::_flash_attention_forward(
      q, flat(keys), flat(values), query_bounds, key_bounds, /*max_q=*/1, longest, /*dropout_p=*/0.0,
      /*is_causal=*/true, /*return_debug_mask=*/false, spec.scale, left, right, lengths));
}

}  // namespace grin
