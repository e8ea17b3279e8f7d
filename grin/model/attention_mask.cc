#include "grin/model/attention_mask.h"

namespace grin {

at::Tensor SeenBy(int64_t length, std::optional<int64_t> window, at::Device device) {
  const at::Tensor index = at::arange(length, at::TensorOptions(at::kLong).device(device));
  const at::Tensor distance = index.unsqueeze(1) - index.unsqueeze(0);
  const at::Tensor causal = distance.ge(0);
  return window ? causal.logical_and(distance.lt(*window)) : causal;
}

at::Tensor SeenBy(const at::Tensor& unseen, std::optional<int64_t> window) {
  const int64_t length = unseen.size(1);
  const at::Tensor seen = SeenBy(length, window, unseen.device())
                              .logical_and(unseen.logical_not().unsqueeze(1).unsqueeze(1));
  const at::Tensor itself = at::eye(length, unseen.options());
  return seen.logical_or(seen.any(-1, /*keepdim=*/true).logical_not().logical_and(itself));
}

}  // namespace grin
