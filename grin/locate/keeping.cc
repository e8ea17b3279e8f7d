#include "grin/locate/keeping.h"

#include "grin/model/device.h"

namespace grin {

Keeper::Keeper(KeepPlace place) : place_(place) {
  if (place == KeepPlace::kFile) file_ = std::make_unique<ScratchFile>();
}

at::Tensor Keeper::Keep(const at::Tensor& values) {
  if (place_ == KeepPlace::kInPlace) return values.contiguous();
  if (place_ == KeepPlace::kHost) {
    return values.is_cpu() ? values.contiguous()
                           : PutInto(at::empty(values.sizes(), at::kFloat), values);
  }
  const std::shared_ptr<std::byte> memory = file_->Take(static_cast<int64_t>(values.nbytes()));
  return PutInto(
      at::from_blob(
          memory.get(), values.sizes(), [memory](void*) {}, at::TensorOptions(at::kFloat)),
      values);
}

at::Tensor Keeper::Replace(const at::Tensor& kept, const at::Tensor& values) {
  return place_ == KeepPlace::kInPlace ? values.contiguous() : PutInto(kept, values);
}

at::Tensor Keeper::PutInto(at::Tensor kept, const at::Tensor& values) const {
  kept.copy_(Download(values));
  if (place_ == KeepPlace::kFile) {
    ReleasePages(static_cast<std::byte*>(kept.mutable_data_ptr()),
                 static_cast<int64_t>(kept.nbytes()));
  }
  return kept;
}

}  // namespace grin
