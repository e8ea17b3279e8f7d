#pragma once
// Tensors on their way to the device that a model computes on.

#include <ATen/ATen.h>
#include <c10/core/Event.h>

#include <cstdint>
#include <vector>

namespace grin {

// `host`, a tensor of the CPU, on `device`. The host does not wait for the copy, which goes through
// memory that the device reads by itself; `host` may be changed or freed at once. For the CPU it is
// `host` itself.
at::Tensor Upload(const at::Tensor& host, at::Device device);

// int64 [n].
at::Tensor UploadIndices(at::ArrayRef<int64_t> values, at::Device device);

// A copy of `device` on the CPU, in memory that a card writes to by itself, which is an order of
// magnitude faster than other memory. Waits for it. Of a tensor of the CPU it is the tensor itself.
at::Tensor Download(const at::Tensor& device);

// A copy of `device`, a tensor that is not on the CPU, on its way to the host, which does not wait
// for it until it asks: later work of the device need not wait either way.
class PendingDownload {
 public:
  explicit PendingDownload(const at::Tensor& device);

  // On the CPU, once it is there.
  const at::Tensor& Wait();

 private:
  at::Tensor host_;  // pinned
  c10::Event done_;
};

}  // namespace grin
