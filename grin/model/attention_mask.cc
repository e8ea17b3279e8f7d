#include "grin/model/attention_mask.h"

namespace grin {

at::Tensor SeenBy(int64_t length, std::optional<int64_t> window, at::Device device) {
  const at::Tensor index = at::arange(length, at::TensorOptions(at::kLong).device(device));
  const at::Tensor distance = index.unsqueeze(1) - index.unsqueeze(0);
  const at::Tensor causal = distance.ge(0);
  return window ? causal.logical_and(distance.lt(*window)) : causal;
}

}  // namespace grin
