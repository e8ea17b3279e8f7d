#include "grin/model/device.h"

namespace grin {

at::Tensor Upload(const at::Tensor& host, at::Device device) {
  if (device.is_cpu()) return host;
  // LibTorch keeps the pinned copy until the device has read it.
  return host.pin_memory().to(device, /*non_blocking=*/true);
}

at::Tensor UploadIndices(at::ArrayRef<int64_t> values, at::Device device) {
  return Upload(at::tensor(values, at::kLong), device);
}

at::Tensor Download(const at::Tensor& device) {
  if (device.is_cpu()) return device;
  at::Tensor host = at::empty(device.sizes(), device.options().device(at::kCPU).pinned_memory(true));
  return host.copy_(device);
}

}  // namespace grin
