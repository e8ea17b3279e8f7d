#include "grin/model/product.h"

namespace grin {
namespace {

// Fewer rows do not pay for widening the weights.
constexpr int64_t kManyRows = 128;

bool MultipliesFloatFaster() {
#if defined(__x86_64__)
  static const bool faster = [] {
    __builtin_cpu_init();
    return !__builtin_cpu_supports("amx-bf16");
  }();
  return faster;
#else
  return false;
#endif
}

}  // namespace

at::Tensor Product(const at::Tensor& a, const at::Tensor& b, const at::Tensor& bias) {
  if (a.is_cpu() && a.scalar_type() == at::kBFloat16 && a.size(0) >= kManyRows &&
      MultipliesFloatFaster()) {
    at::Tensor wide = at::mm(a.to(at::kFloat), b.to(at::kFloat));
    if (bias.defined()) wide.add_(bias);
    return wide.to(a.scalar_type());
  }
  return bias.defined() ? at::addmm(bias, a, b) : at::mm(a, b);
}

void AddOuterProduct(at::Tensor& sum, const at::Tensor& a, const at::Tensor& b) {
  if (a.is_cpu() || a.scalar_type() == at::kFloat) {
    sum.addmm_(a.to(at::kFloat).t(), b.to(at::kFloat));
  } else {
    sum.add_(at::mm(a.t(), b));
  }
}

}  // namespace grin
