#include "grin/tune/trainable.h"

#include "grin/base/error.h"
#include "grin/model/device.h"

namespace grin {
namespace {

// The selected weights of a mask. Error (bad input) where it does not fit the model.
std::vector<Arena::Part> PartsOf(const Model& model, const Mask& mask) {
  const Checkpoint& checkpoint = model.weights->checkpoint();
  std::vector<Arena::Part> parts;
  for (const MaskTensor& tensor : mask.tensors()) {
    const TensorInfo* info = checkpoint.Find(tensor.name);
    if (!info) {
      BadInput("tune", "the mask covers {}, which {} does not have", tensor.name,
               checkpoint.path().string());
    }
    if (info->shape != tensor.shape) {
      BadInput("tune", "the mask has {} as {}, {} has it as {}", tensor.name,
               FormatShape(tensor.shape), checkpoint.path().string(), FormatShape(info->shape));
    }
    if (tensor.count == 0) continue;
    if (!model.weights->tensors().contains(tensor.name)) {
      BadInput("tune", "the mask covers {}, which the model does not use", tensor.name);
    }
    parts.push_back({tensor.name, tensor.size(), tensor.count});
  }
  return parts;
}

std::vector<Arena::Part> AllParts(const Model& model) {
  std::vector<Arena::Part> parts;
  for (const auto& [name, tensor] : model.weights->tensors()) {
    parts.push_back({name, tensor.numel(), tensor.numel()});
  }
  return parts;
}

}  // namespace

Trainable::Trainable(const Model& model, const std::vector<Arena::Part>& parts)
    : model_(model), arena_(parts, model.weights->device()) {
  for (const MaskedParameter& parameter : arena_.parameters) {
    model_.weights->MakeWritable(parameter.name);
    const size_t position = index_.size();
    index_[parameter.name] = position;
  }
}

Trainable::Trainable(const Model& model, const Mask& mask)
    : Trainable(model, PartsOf(model, mask)) {
  for (MaskedParameter& parameter : arena_.parameters) {
    if (parameter.indices.defined()) parameter.indices.copy_(mask.Indices(parameter.name));
  }
  ReadStored();
}

Trainable Trainable::Everything(const Model& model) {
  Trainable trainable(model, AllParts(model));
  trainable.everything_ = true;
  trainable.ReadStored();
  return trainable;
}

at::Tensor Trainable::Stored(const std::string& name) const {
  const Checkpoint& checkpoint = model_.weights->checkpoint();
  const at::Tensor stored = StoredTensor(checkpoint, *checkpoint.Find(name));
  return stored.scalar_type() == at::kDouble ? stored.to(at::kFloat) : stored;
}

void Trainable::ReadStored() {
  for (MaskedParameter& parameter : arena_.parameters) {
    ReadMasters(parameter, Stored(parameter.name));
  }
}

MaskedParameter* Trainable::Find(const std::string& name) {
  const auto found = index_.find(name);
  return found == index_.end() ? nullptr : &arena_.parameters[found->second];
}

void Trainable::WriteBack() {
  for (const MaskedParameter& parameter : arena_.parameters) {
    at::Tensor weight = model_.weights->tensors().at(parameter.name);
    grin::WriteBack(parameter, weight);
  }
}

void Trainable::Restore(const at::Tensor& snapshot) {
  arena_.master.copy_(snapshot);
  WriteBack();
}

void Trainable::Reset() {
  ReadStored();
  WriteBack();
}

EditTensor Trainable::Edit() {
  return [this](const TensorInfo& info, std::span<std::byte> bytes) {
    const MaskedParameter* found = Find(info.name);
    if (!found) return;
    MaskedParameter parameter = *found;
    parameter.master = Download(parameter.master);
    if (parameter.indices.defined()) parameter.indices = Download(parameter.indices);
    at::Tensor weight =
        at::from_blob(bytes.data(), info.shape,
                      at::TensorOptions(FloatScalarType(info.dtype).value()));
    if (weight.scalar_type() == at::kDouble) {  // what did not change keeps all its digits
      at::Tensor narrow = weight.to(at::kFloat);
      const at::Tensor before = narrow.clone();
      grin::WriteBack(parameter, narrow);
      weight.copy_(at::where(narrow.eq(before), weight, narrow.to(at::kDouble)));
      return;
    }
    grin::WriteBack(parameter, weight);
  };
}

}  // namespace grin
