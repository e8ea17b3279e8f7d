#pragma once
// What is done to the forget gradient, with the retain gradient beside it, before the two are added:
// one table. Both are those of the selected entries alone, so that the second one costs 4 bytes for
// each of these and no dense gradient.

#include <ATen/ATen.h>

#include <cstdint>
#include <span>
#include <string_view>

#include "grin/tune/arena.h"
#include "grin/tune/optimiser.h"

namespace grin {

struct SurgeryInput {
  // Its gradient is alpha g_r, the retain gradient of the step, and is not changed; its second moments
  // are those before the step.
  const Arena& arena;
  AdamWSettings adamw;
  int64_t updates = 0;  // steps that AdamW has made so far
};

struct Surgery {
  std::string_view name;
  std::string_view formula;  // one line, for --help
  // Changes gamma g_f, fp32 [n], in place. Does not depend on the number of threads. Null: nothing.
  void (*function)(const SurgeryInput& input, at::Tensor& forget_gradient);
};

// none, pcgrad, gu, agree.
std::span<const Surgery> Surgeries();

// Error (usage) that lists the known ones and names the nearest.
const Surgery& FindSurgery(std::string_view name);

// The cosine of the angle between two gradients, fp32 [n]: double [], on their device. 0 where one of
// them is 0.
at::Tensor CosineOf(const at::Tensor& a, const at::Tensor& b);

// The same by ATen alone, for tensors of any device. On the CPU those of the table sum in loops, which
// these must agree with.
namespace plain {
void ProjectConflict(const SurgeryInput& input, at::Tensor& forget_gradient);
void ProjectInMetric(const SurgeryInput& input, at::Tensor& forget_gradient);
}  // namespace plain

}  // namespace grin
