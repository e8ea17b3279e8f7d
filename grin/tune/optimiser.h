#pragma once
// One optimiser step over the flat tensors of an arena: the learning rate's schedule, clipping by
// the gradient's norm, AdamW. Results do not depend on the number of threads.

#include <cstdint>
#include <string_view>

#include "grin/tune/arena.h"

namespace grin {

// Learning-rate schedules, equal to get_*_schedule_with_warmup of transformers.
enum class Schedule {
  kLinear,  // to 0 at the last step
  kCosine,  // half a cosine, to 0
  kConstant,
};

// "linear", "cosine", "constant". Error (usage) for another word.
Schedule ParseSchedule(std::string_view text);

// Factor on the learning rate of optimiser step `step`, counted from 0, of `steps` in all. The
// first `warmup` steps rise linearly from 0: step 0 has factor 0 where there is a warm-up, step
// `warmup` factor 1.
double ScheduleFactor(Schedule schedule, int64_t step, int64_t warmup, int64_t steps);

// The 2-norm of a gradient, fp32 [n], summed in double: double [], on its device.
at::Tensor GradientNorm(const at::Tensor& gradient);

// Scales the gradient by min(1, max_norm / (norm + 1e-6)), as torch.nn.utils.clip_grad_norm_ does.
// With a norm that is not finite the gradient stays as it is: the caller must not use it.
void ClipGradient(at::Tensor& gradient, double norm, double max_norm);

struct AdamWSettings {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0.01;
};

// One step of AdamW (Loshchilov & Hutter 2019, in PyTorch's form) on the masters, number `step`
// counted from 1, in a single pass over the buffers.
void AdamWStep(Arena& arena, const AdamWSettings& settings, double lr, int64_t step);

// The same by ATen alone, for tensors of any device. On the CPU those above use loops, which these
// must agree with.
namespace plain {
at::Tensor GradientNorm(const at::Tensor& gradient);
void AdamWStep(Arena& arena, const AdamWSettings& settings, double lr, int64_t step);
}  // namespace plain

}  // namespace grin
