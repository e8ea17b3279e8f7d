#include "grin/locate/keeping.h"

namespace grin {
namespace {

constexpr int64_t kMostOnItsWay = int64_t{2} << 30;

}  // namespace

Keeper::Keeper(KeepPlace place) : place_(place) {
  if (place == KeepPlace::kFile) file_ = std::make_unique<ScratchFile>();
}

at::Tensor Keeper::Keep(const at::Tensor& values) {
  if (place_ == KeepPlace::kInPlace) return values.contiguous();
  if (place_ == KeepPlace::kHost && values.is_cpu()) return values.contiguous();
  const at::Tensor kept = Room(values);
  if (values.is_cpu()) {
    Put(kept, values);
    return kept;
  }
  on_its_way_.push_back({kept, PendingDownload(values.contiguous())});
  bytes_on_its_way_ += static_cast<int64_t>(kept.nbytes());
  while (bytes_on_its_way_ > kMostOnItsWay) PutOldest();
  return kept;
}

void Keeper::Finish() {
  while (!on_its_way_.empty()) PutOldest();
}

at::Tensor Keeper::Room(const at::Tensor& values) {
  const auto bytes = static_cast<int64_t>(values.nbytes());
  const std::shared_ptr<std::byte> memory =
      place_ == KeepPlace::kFile ? file_->Take(bytes) : TakeLargePages(bytes);
  return at::from_blob(
      memory.get(), values.sizes(), [memory](void*) {}, at::TensorOptions(at::kFloat));
}

void Keeper::Put(at::Tensor kept, const at::Tensor& values) const {
  kept.copy_(values);
  if (place_ == KeepPlace::kFile) {
    ReleasePages(static_cast<std::byte*>(kept.mutable_data_ptr()),
                 static_cast<int64_t>(kept.nbytes()));
  }
}

void Keeper::PutOldest() {
  OnItsWay& oldest = on_its_way_.front();
  Put(oldest.kept, oldest.download.Wait());
  bytes_on_its_way_ -= static_cast<int64_t>(oldest.kept.nbytes());
  on_its_way_.pop_front();
}

}  // namespace grin
