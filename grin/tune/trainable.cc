#include "grin/tune/trainable.h"

#include <limits>

#include "grin/base/error.h"

namespace grin {

Trainable::Trainable(const Model& model, const Mask& mask) : model_(model) {
  for (const MaskTensor& tensor : mask.tensors()) {
    const TensorInfo* info = model.weights->checkpoint().Find(tensor.name);
    if (!info) {
      BadInput("tune", "the mask covers {}, which {} does not have", tensor.name,
               model.weights->checkpoint().path().string());
    }
    if (info->shape != tensor.shape) {
      BadInput("tune", "the mask has {} as {}, {} has it as {}", tensor.name,
               FormatShape(tensor.shape), model.weights->checkpoint().path().string(),
               FormatShape(info->shape));
    }
    if (tensor.count == 0) continue;
    if (!model.weights->tensors().contains(tensor.name)) {
      BadInput("tune", "the mask covers {}, which the model does not use", tensor.name);
    }
    at::Tensor indices = mask.Indices(tensor.name);
    if (tensor.size() <= std::numeric_limits<int32_t>::max()) indices = indices.to(at::kInt);
    Add(tensor.name, tensor.count == tensor.size() ? at::Tensor() : indices);
  }
}

Trainable Trainable::Everything(const Model& model) {
  Trainable trainable(model);
  trainable.everything_ = true;
  for (const auto& [name, tensor] : model.weights->tensors()) {
    trainable.Add(name, at::Tensor());
  }
  return trainable;
}

at::Tensor Trainable::Stored(const std::string& name) const {
  const Checkpoint& checkpoint = model_.weights->checkpoint();
  const at::Tensor stored = StoredTensor(checkpoint, *checkpoint.Find(name));
  return stored.scalar_type() == at::kDouble ? stored.to(at::kFloat) : stored;
}

void Trainable::Add(const std::string& name, at::Tensor indices) {
  model_.weights->MakeWritable(name);
  index_[name] = parameters_.size();
  parameters_.push_back(MakeMaskedParameter(name, Stored(name), std::move(indices)));
}

MaskedParameter* Trainable::Find(const std::string& name) {
  const auto found = index_.find(name);
  return found == index_.end() ? nullptr : &parameters_[found->second];
}

int64_t Trainable::count() const {
  int64_t count = 0;
  for (const MaskedParameter& parameter : parameters_) count += parameter.master.numel();
  return count;
}

void Trainable::WriteBack() {
  for (const MaskedParameter& parameter : parameters_) {
    at::Tensor weight = model_.weights->tensors().at(parameter.name);
    grin::WriteBack(parameter, weight);
  }
}

std::vector<at::Tensor> Trainable::Snapshot() const {
  std::vector<at::Tensor> snapshot;
  for (const MaskedParameter& parameter : parameters_) snapshot.push_back(parameter.master.clone());
  return snapshot;
}

void Trainable::Restore(const std::vector<at::Tensor>& snapshot) {
  for (size_t i = 0; i < parameters_.size(); ++i) parameters_[i].master.copy_(snapshot[i]);
  WriteBack();
}

void Trainable::Reset() {
  for (MaskedParameter& parameter : parameters_) ReadMasters(parameter, Stored(parameter.name));
  WriteBack();
}

EditTensor Trainable::Edit() {
  return [this](const TensorInfo& info, std::span<std::byte> bytes) {
    const MaskedParameter* parameter = Find(info.name);
    if (!parameter) return;
    at::Tensor weight =
        at::from_blob(bytes.data(), info.shape,
                      at::TensorOptions(FloatScalarType(info.dtype).value()));
    if (weight.scalar_type() == at::kDouble) {  // what did not change keeps all its digits
      at::Tensor narrow = weight.to(at::kFloat);
      const at::Tensor before = narrow.clone();
      grin::WriteBack(*parameter, narrow);
      weight.copy_(at::where(narrow.eq(before), weight, narrow.to(at::kDouble)));
      return;
    }
    grin::WriteBack(*parameter, weight);
  };
}

}  // namespace grin
