#include "grin/model/product.h"

#include <algorithm>

#include "grin/model/one_dnn.h"

namespace grin {
namespace {

// Calls visit(begin, rows), the rows in fp32, for blocks of a weight's rows.
template <typename Visit>
void ForWideBlocks(const at::Tensor& weight, Visit visit) {
  constexpr int64_t kBlock = 4096;
  for (int64_t begin = 0; begin < weight.size(0); begin += kBlock) {
    const int64_t count = std::min(kBlock, weight.size(0) - begin);
    visit(begin, weight.narrow(0, begin, count).to(at::kFloat));
  }
}

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

bool WidensFactors(const at::Tensor& a) {
  return a.is_cpu() && a.scalar_type() == at::kBFloat16 && MultipliesFloatFaster();
}

at::Tensor Product(const at::Tensor& a, const at::Tensor& b, const at::Tensor& bias) {
  if (a.size(0) >= kManyRows && WidensFactors(a)) {
    at::Tensor wide = at::mm(a.to(at::kFloat), b.to(at::kFloat));
    if (bias.defined()) wide.add_(bias);
    return wide.to(a.scalar_type());
  }
  const at::Tensor weight = b.t();
  if (PrefersOneDnn(a) && weight.is_contiguous()) return OneDnnProduct(a, weight, bias);
  return bias.defined() ? at::addmm(bias, a, b) : at::mm(a, b);
}

void WideProduct(at::Tensor& out, const at::Tensor& a, const at::Tensor& weight) {
  const at::Tensor wide = a.to(at::kFloat);
  ForWideBlocks(weight, [&](int64_t begin, const at::Tensor& rows) {
    at::Tensor columns = out.narrow(1, begin, rows.size(0));
    at::mm_out(columns, wide, rows.t());
  });
}

at::Tensor WideBackProduct(const at::Tensor& a, const at::Tensor& weight) {
  at::Tensor sum = at::zeros({a.size(0), weight.size(1)}, a.options().dtype(at::kFloat));
  ForWideBlocks(weight, [&](int64_t begin, const at::Tensor& rows) {
    sum.addmm_(a.narrow(1, begin, rows.size(0)), rows);
  });
  return sum;
}

void AddOuterProduct(at::Tensor& sum, const at::Tensor& a, const at::Tensor& b) {
  if (a.is_cpu() || a.scalar_type() == at::kFloat) {
    sum.addmm_(a.to(at::kFloat).t(), b.to(at::kFloat));
  } else {
    sum.add_(at::mm(a.t(), b));
  }
}

}  // namespace grin
