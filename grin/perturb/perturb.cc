#include "grin/perturb/perturb.h"

#include <ATen/Dispatch.h>

#include <array>
#include <cmath>

#include "grin/base/table.h"
#include "grin/model/parallel.h"
#include "grin/perturb/gaussian.h"

namespace grin {
namespace {

void LeaveAlone(std::string_view, const at::Tensor&, at::Tensor&, double, uint64_t) {}

constexpr std::array kPerturbations{
    Perturbation{"gaussian", "theta += N(0, sigma^2)", PerturbGaussian},
    Perturbation{"none", "theta stays as it is", LeaveAlone},
};

}  // namespace

std::span<const Perturbation> Perturbations() { return kPerturbations; }

const Perturbation& FindPerturbation(std::string_view name) {
  return FindRow("perturb", "perturbation", kPerturbations, name);
}

double StandardDeviation(const at::Tensor& weight) {
  const at::Tensor whole = weight.contiguous();
  const int64_t size = whole.numel();
  if (size == 0) return 0;
  return AT_DISPATCH_FLOATING_TYPES_AND2(
      at::kHalf, at::kBFloat16, whole.scalar_type(), "StandardDeviation", [&] {
        const scalar_t* values = whole.const_data_ptr<scalar_t>();
        const auto mean_of = [&](const auto& f) {
          return SumOverPieces(size,
                               [&](int64_t begin, int64_t end) {
                                 double sum = 0;
                                 for (int64_t i = begin; i < end; ++i)
                                   sum += f(static_cast<double>(values[i]));
                                 return sum;
                               }) /
                 static_cast<double>(size);
        };
        const double mean = mean_of([](double x) { return x; });
        return std::sqrt(mean_of([=](double x) { return (x - mean) * (x - mean); }));
      });
}

}  // namespace grin
