#include "grin/model/weights.h"

#include <ATen/core/grad_mode.h>

#include "grin/base/error.h"

namespace grin {

std::optional<at::ScalarType> FloatScalarType(DType dtype) {
  switch (dtype) {
    case DType::kF64:
      return at::kDouble;
    case DType::kF32:
      return at::kFloat;
    case DType::kF16:
      return at::kHalf;
    case DType::kBF16:
      return at::kBFloat16;
    default:
      return std::nullopt;
  }
}

at::Tensor StoredTensor(const Checkpoint& checkpoint, const TensorInfo& info) {
  const at::ScalarType type = FloatScalarType(info.dtype).value();
  const TensorBytes stored = checkpoint.Read(info.name);
  auto* data = const_cast<std::byte*>(stored.bytes.data());  // never written: see MakeWritable
  const at::Tensor alias = at::from_blob(
      data, info.shape, [owner = stored.owner](void*) {}, at::TensorOptions(type));
  const bool aligned = reinterpret_cast<uintptr_t>(data) % c10::elementSize(type) == 0;
  return aligned ? alias : alias.clone();
}

Parameter Weights::Get(const std::string& name, at::IntArrayRef shape) {
  if (!checkpoint_) {  // shapes alone
    at::Tensor& tensor = tensors_[name];
    if (!tensor.defined()) tensor = at::empty(shape, at::TensorOptions(dtype_).device(at::kMeta));
    return {name, tensor};
  }
  const TensorInfo* info = checkpoint_->Find(name);
  if (!info) BadInput("model", "{}: tensor {} is missing", checkpoint_->path().string(), name);
  if (!FloatScalarType(info->dtype)) {
    BadInput("model", "{}: tensor {} is of type {}; weights must be F64, F32, F16 or BF16",
             checkpoint_->path().string(), name, DTypeName(info->dtype));
  }
  if (shape != at::IntArrayRef(info->shape)) {
    BadInput("model", "{}: tensor {} has shape [{}]; config.json makes it [{}]",
             checkpoint_->path().string(), name, fmt::join(info->shape, ", "),
             fmt::join(shape, ", "));
  }
  at::Tensor& tensor = tensors_[name];
  if (!tensor.defined()) tensor = StoredTensor(*checkpoint_, *info).to(device_, dtype_);
  return {name, tensor};
}

void Weights::MakeWritable(const std::string& name) {
  at::NoGradGuard no_grad;
  at::Tensor& tensor = tensors_.at(name);
  if (!tensor.is_cpu()) return;  // a copy of the checkpoint's bytes already
  const at::Tensor own = tensor.clone();
  tensor.set_(own);
}

}  // namespace grin
