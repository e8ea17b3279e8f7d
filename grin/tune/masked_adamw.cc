#include "grin/tune/masked_adamw.h"

#include <ATen/Dispatch.h>

#include <cmath>

#include "grin/base/error.h"
#include "grin/model/parallel.h"

namespace grin {
namespace {

// Calls f(j, position) for every selected entry j, in parallel.
template <typename F>
void ForEachSelected(const MaskedParameter& parameter, const F& f) {
  const int64_t count = parameter.master.numel();
  if (!parameter.indices.defined()) {
    ForEachPiece(count, [&](int64_t begin, int64_t end) {
      for (int64_t j = begin; j < end; ++j) f(j, j);
    });
    return;
  }
  AT_DISPATCH_INDEX_TYPES(parameter.indices.scalar_type(), "indices", [&] {
    const index_t* positions = parameter.indices.const_data_ptr<index_t>();
    ForEachPiece(count, [&](int64_t begin, int64_t end) {
      for (int64_t j = begin; j < end; ++j) f(j, static_cast<int64_t>(positions[j]));
    });
  });
}

// The positions are ascending, so only the last one has to be inside the tensor.
void CheckFits(const MaskedParameter& parameter, const at::Tensor& dense) {
  const int64_t count = parameter.master.numel();
  const int64_t needed = !parameter.indices.defined() ? count
                         : count == 0                 ? 0
                                      : parameter.indices[count - 1].item<int64_t>() + 1;
  const bool fits = parameter.indices.defined() ? dense.numel() >= needed : dense.numel() == needed;
  if (!dense.is_cpu() || !dense.is_contiguous() || !fits) {
    Defect("tune",
           "'{}' selects up to position {}, the tensor is {}contiguous on {} with {} entries",
           parameter.name, needed - 1, dense.is_contiguous() ? "" : "not ", dense.device().str(),
           dense.numel());
  }
}

}  // namespace

MaskedParameter MakeMaskedParameter(std::string name, const at::Tensor& weight,
                                    at::Tensor indices) {
  const int64_t count = indices.defined() ? indices.numel() : weight.numel();
  const auto zeros = [&] { return at::zeros({count}, at::kFloat); };
  MaskedParameter parameter{
      std::move(name), std::move(indices), at::empty({count}, at::kFloat), zeros(), zeros(),
      zeros()};
  ReadMasters(parameter, weight);
  return parameter;
}

void ReadMasters(MaskedParameter& parameter, const at::Tensor& weight) {
  CheckFits(parameter, weight);
  float* master = parameter.master.mutable_data_ptr<float>();
  AT_DISPATCH_FLOATING_TYPES_AND2(at::kHalf, at::kBFloat16, weight.scalar_type(),
                                  "ReadMasters", [&] {
                                    const scalar_t* values = weight.const_data_ptr<scalar_t>();
                                    ForEachSelected(parameter, [=](int64_t j, int64_t position) {
                                      master[j] = static_cast<float>(values[position]);
                                    });
                                  });
}

void GatherGradient(const at::Tensor& dense, double scale, MaskedParameter& parameter) {
  CheckFits(parameter, dense);
  float* gradient = parameter.gradient.mutable_data_ptr<float>();
  AT_DISPATCH_FLOATING_TYPES_AND2(at::kHalf, at::kBFloat16, dense.scalar_type(), "GatherGradient",
                                  [&] {
                                    const scalar_t* values = dense.const_data_ptr<scalar_t>();
                                    const auto factor = static_cast<float>(scale);
                                    ForEachSelected(parameter, [=](int64_t j, int64_t position) {
                                      gradient[j] += factor * static_cast<float>(values[position]);
                                    });
                                  });
}

void AdamWStep(MaskedParameter& parameter, const AdamWSettings& settings, double lr, int64_t step) {
  // Scalars in double, entries in fp32, in PyTorch's order of operations.
  const double correction1 = 1 - std::pow(settings.beta1, static_cast<double>(step));
  const double correction2 = 1 - std::pow(settings.beta2, static_cast<double>(step));
  const auto keep = static_cast<float>(1 - lr * settings.weight_decay);
  const auto rate1 = static_cast<float>(1 - settings.beta1);
  const auto beta2 = static_cast<float>(settings.beta2);
  const auto rate2 = static_cast<float>(1 - settings.beta2);
  const auto root2 = static_cast<float>(std::sqrt(correction2));
  const auto eps = static_cast<float>(settings.eps);
  const auto step_size = static_cast<float>(lr / correction1);

  float* master = parameter.master.mutable_data_ptr<float>();
  float* m = parameter.m.mutable_data_ptr<float>();
  float* v = parameter.v.mutable_data_ptr<float>();
  const float* gradient = parameter.gradient.const_data_ptr<float>();
  ForEachPiece(parameter.master.numel(), [=](int64_t begin, int64_t end) {
    for (int64_t j = begin; j < end; ++j) {
      const float g = gradient[j];
      m[j] += rate1 * (g - m[j]);
      v[j] = v[j] * beta2 + rate2 * g * g;
      master[j] = master[j] * keep - step_size * m[j] / (std::sqrt(v[j]) / root2 + eps);
    }
  });
}

void WriteBack(const MaskedParameter& parameter, at::Tensor& weight) {
  CheckFits(parameter, weight);
  const float* master = parameter.master.const_data_ptr<float>();
  AT_DISPATCH_FLOATING_TYPES_AND2(at::kHalf, at::kBFloat16, weight.scalar_type(), "WriteBack", [&] {
    scalar_t* values = weight.mutable_data_ptr<scalar_t>();
    ForEachSelected(parameter, [=](int64_t j, int64_t position) {
      values[position] = static_cast<scalar_t>(master[j]);
    });
  });
}

}  // namespace grin
