#include "grin/model/device.h"

#include <c10/core/impl/VirtualGuardImpl.h>

namespace grin {

at::Tensor Upload(const at::Tensor& host, at::Device device) {
  if (device.is_cpu()) return host;
  // LibTorch keeps the pinned copy until the device has read it.
  return host.pin_memory().to(device, /*non_blocking=*/true);
}

at::Tensor UploadIndices(at::ArrayRef<int64_t> values, at::Device device) {
  return Upload(at::tensor(values, at::kLong), device);
}

namespace {

at::Tensor PinnedLike(const at::Tensor& device) {
  return at::empty(device.sizes(), device.options().device(at::kCPU).pinned_memory(true));
}

}  // namespace

at::Tensor Download(const at::Tensor& device) {
  return device.is_cpu() ? device : PinnedLike(device).copy_(device);
}

PendingDownload::PendingDownload(const at::Tensor& device)
    : host_(PinnedLike(device)), done_(device.device().type()) {
  host_.copy_(device, /*non_blocking=*/true);
  done_.record(c10::impl::VirtualGuardImpl(device.device().type()).getStream(device.device()));
}

const at::Tensor& PendingDownload::Wait() {
  done_.synchronize();
  return host_;
}

}  // namespace grin
