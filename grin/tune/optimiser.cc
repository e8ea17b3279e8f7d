#include "grin/tune/optimiser.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "grin/base/error.h"
#include "grin/base/table.h"
#include "grin/model/parallel.h"

namespace grin {
namespace {

struct ScheduleRow {
  std::string_view name;
  Schedule value;
};

constexpr std::array kSchedules{ScheduleRow{"linear", Schedule::kLinear},
                                ScheduleRow{"cosine", Schedule::kCosine},
                                ScheduleRow{"constant", Schedule::kConstant}};

// The scalars of one step: in double until here, entries are fp32, in PyTorch's order of
// operations.
struct AdamWFactors {
  AdamWFactors(const AdamWSettings& settings, double lr, int64_t step) {
    const double correction1 = 1 - std::pow(settings.beta1, static_cast<double>(step));
    const double correction2 = 1 - std::pow(settings.beta2, static_cast<double>(step));
    keep = static_cast<float>(1 - lr * settings.weight_decay);
    rate1 = static_cast<float>(1 - settings.beta1);
    beta2 = static_cast<float>(settings.beta2);
    rate2 = static_cast<float>(1 - settings.beta2);
    root2 = static_cast<float>(std::sqrt(correction2));
    eps = static_cast<float>(settings.eps);
    step_size = static_cast<float>(lr / correction1);
  }
  float keep, rate1, beta2, rate2, root2, eps, step_size;
};

}  // namespace

Schedule ParseSchedule(std::string_view text) {
  return FindRow("tune", "schedule", kSchedules, text).value;
}

double ScheduleFactor(Schedule schedule, int64_t step, int64_t warmup, int64_t steps) {
  if (step < warmup) return static_cast<double>(step) / static_cast<double>(warmup);
  const double progress =
      std::min(1.0, static_cast<double>(step - warmup) /
                        static_cast<double>(std::max<int64_t>(1, steps - warmup)));
  switch (schedule) {
    case Schedule::kLinear:
      return 1 - progress;
    case Schedule::kCosine:
      return 0.5 * (1 + std::cos(std::numbers::pi * progress));
    case Schedule::kConstant:
      return 1;
  }
  Defect("tune", "schedule of kind {}", static_cast<int>(schedule));
}

at::Tensor GradientNorm(const at::Tensor& gradient) {
  if (!gradient.is_cpu()) return plain::GradientNorm(gradient);
  const float* values = gradient.const_data_ptr<float>();
  const double square = SumOverPieces(gradient.numel(), [&](int64_t begin, int64_t end) {
    double piece = 0;
    for (int64_t i = begin; i < end; ++i) piece += double{values[i]} * values[i];
    return piece;
  });
  return at::scalar_tensor(std::sqrt(square), at::kDouble);
}

void ClipGradient(at::Tensor& gradient, double norm, double max_norm) {
  const double coefficient = max_norm / (norm + 1e-6);
  if (std::isfinite(norm) && coefficient < 1) gradient.mul_(static_cast<float>(coefficient));
}

void AdamWStep(Arena& arena, const AdamWSettings& settings, double lr, int64_t step) {
  if (!arena.master.is_cpu()) return plain::AdamWStep(arena, settings, lr, step);
  const AdamWFactors f(settings, lr, step);
  float* master = arena.master.mutable_data_ptr<float>();
  float* m = arena.m.mutable_data_ptr<float>();
  float* v = arena.v.mutable_data_ptr<float>();
  const float* gradient = arena.gradient.const_data_ptr<float>();
  ForEachPiece(arena.master.numel(), [=](int64_t begin, int64_t end) {
    for (int64_t j = begin; j < end; ++j) {
      const float g = gradient[j];
      m[j] += f.rate1 * (g - m[j]);
      v[j] = v[j] * f.beta2 + f.rate2 * g * g;
      master[j] = master[j] * f.keep - f.step_size * m[j] / (std::sqrt(v[j]) / f.root2 + f.eps);
    }
  });
}

namespace plain {

at::Tensor GradientNorm(const at::Tensor& gradient) {
  return at::linalg_vector_norm(gradient, 2, at::OptionalIntArrayRef(), false, at::kDouble);
}

void AdamWStep(Arena& arena, const AdamWSettings& settings, double lr, int64_t step) {
  const AdamWFactors f(settings, lr, step);
  arena.m.lerp_(arena.gradient, f.rate1);
  arena.v.mul_(f.beta2).addcmul_(arena.gradient, arena.gradient, f.rate2);
  const at::Tensor root = arena.v.sqrt().div_(f.root2).add_(f.eps);
  arena.master.mul_(f.keep).addcdiv_(arena.m, root, -f.step_size);
}

}  // namespace plain
}  // namespace grin
