#include "grin/model/one_dnn.h"

#include <ATen/core/grad_mode.h>
#include <ATen/core/dispatch/Dispatcher.h>

#include <optional>
#include <string_view>

namespace grin {
namespace {

// LibTorch's oneDNN product of ordinary tensors: X, W, B, attr, scalars, algorithm.
using Linear = at::Tensor(const at::Tensor&, const at::Tensor&, const std::optional<at::Tensor>&,
                          std::string_view, c10::List<std::optional<at::Scalar>>,
                          std::optional<std::string_view>);

std::optional<c10::TypedOperatorHandle<Linear>> FindLinear() {
  const auto found = c10::Dispatcher::singleton().findSchema({"mkldnn::_linear_pointwise", ""});
  if (!found) return std::nullopt;
  return found->typed<Linear>();
}

const std::optional<c10::TypedOperatorHandle<Linear>>& OneDnnLinear() {
  static const auto linear = FindLinear();
  return linear;
}

bool IsForeignToMkl() {
#if defined(__x86_64__)
  static const bool foreign = [] {
    __builtin_cpu_init();
    return !__builtin_cpu_is("intel");
  }();
  return foreign;
#else
  return false;
#endif
}

}  // namespace

bool PrefersOneDnn(const at::Tensor& a) {
  constexpr int64_t kFewRows = 16;  // with fewer, both wait for the weights
  return a.is_cpu() && a.scalar_type() == at::kFloat && a.size(0) >= kFewRows && IsForeignToMkl() &&
         OneDnnLinear().has_value();
}

at::Tensor OneDnnProduct(const at::Tensor& a, const at::Tensor& weight, const at::Tensor& bias) {
  const at::NoGradGuard no_grad;
  return OneDnnLinear()->call(a.contiguous(), weight,
                              bias.defined() ? std::optional(bias) : std::nullopt,
                              /*attr=*/"none", c10::List<std::optional<at::Scalar>>(),
                              /*algorithm=*/std::nullopt);
}

}  // namespace grin
