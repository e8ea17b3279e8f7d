#include "grin/perturb/perturb.h"

#include <ATen/Dispatch.h>

#include <array>
#include <cmath>

#include "grin/base/table.h"
#include "grin/model/parallel.h"
#include "grin/perturb/gaussian.h"
#include "grin/perturb/reset.h"
#include "grin/perturb/shrink.h"

namespace grin {
namespace {

void LeaveAlone(const PerturbInput&, at::Tensor&) {}

constexpr std::array kPerturbations{
    Perturbation{.name = "gaussian",
                 .formula = "theta += N(0, sigma^2)",
                 .uses_sigma = true,
                 .function =
                     [](const PerturbInput& input, at::Tensor& values) {
                       PerturbGaussian(input.name, input.indices, values, input.sigma, input.seed);
                     }},
    Perturbation{.name = "reset",
                 .formula = "theta = N(mean, std^2) of the weight's tensor",
                 .uses_moments = true,
                 .function = PerturbReset},
    Perturbation{.name = "shrink",
                 .formula = "theta = (1 - a) theta + a b U(-x, x), x = sqrt(6 / (in + out))",
                 .function = PerturbShrink},
    Perturbation{.name = "zero",
                 .formula = "theta = 0",
                 .function = [](const PerturbInput&, at::Tensor& values) { values.zero_(); }},
    Perturbation{.name = "none", .formula = "theta stays as it is", .function = LeaveAlone},
};

}  // namespace

std::span<const Perturbation> Perturbations() { return kPerturbations; }

const Perturbation& FindPerturbation(std::string_view name) {
  return FindRow("perturb", "perturbation", kPerturbations, name);
}

Moments MomentsOf(const at::Tensor& weight) {
  const at::Tensor whole = weight.contiguous();
  const int64_t size = whole.numel();
  if (size == 0) return {};
  return AT_DISPATCH_FLOATING_TYPES_AND2(
      at::kHalf, at::kBFloat16, whole.scalar_type(), "MomentsOf", [&] {
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
        return Moments{mean, std::sqrt(mean_of([=](double x) { return (x - mean) * (x - mean); }))};
      });
}

double StandardDeviation(const at::Tensor& weight) { return MomentsOf(weight).deviation; }

}  // namespace grin
