#include "grin/locate/mask.h"

#include <algorithm>
#include <bit>
#include <numeric>
#include <span>

#include "grin/base/error.h"
#include "grin/base/json.h"
#include "grin/base/printable.h"
#include "grin/io/safetensors.h"

namespace grin {
namespace {

constexpr std::string_view kFormat = "grin-mask-1";

// What is wrong with the bits of a tensor, given its shape; empty when nothing is.
std::string Fault(const MaskTensor& tensor) {
  const int64_t size = tensor.size();
  const int64_t bytes = size / 8 + (size % 8 != 0);
  if (static_cast<int64_t>(tensor.bits.size()) != bytes) {
    return fmt::format("{} bytes for shape {}, expected {}", tensor.bits.size(),
                       FormatShape(tensor.shape), bytes);
  }
  if (size % 8 != 0 && tensor.bits.back() >> (size % 8) != 0) {
    return fmt::format("bits set past its {} weights, expected 0 there", size);
  }
  return {};
}

// The shapes of a mask file by name. Error (bad input) unless the text is a JSON object of lists of
// sizes whose products fit 63 bits.
std::map<std::string, std::vector<int64_t>> ParseShapes(const std::string& file,
                                                        const std::string& text) {
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) {
    BadInput("locate", "{}: metadata 'shapes' is not a JSON object of name -> shape", file);
  }
  std::map<std::string, std::vector<int64_t>> shapes;
  for (const auto& [name, list] : json.items()) {
    std::vector<int64_t> shape;
    int64_t size = 1;
    bool valid = list.is_array();
    for (auto extent = list.begin(); valid && extent != list.end(); ++extent) {
      valid = extent->is_number_unsigned();
      shape.push_back(valid ? extent->get<int64_t>() : 0);
      valid = valid && shape.back() >= 0 && !__builtin_mul_overflow(size, shape.back(), &size);
    }
    if (!valid) {
      BadInput("locate", "{}: shape of '{}' is {}, expected a list of sizes", file, Printable(name),
               Printable(list.dump()));
    }
    shapes[name] = std::move(shape);
  }
  return shapes;
}

}  // namespace

int64_t MaskTensor::size() const {
  return std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>());
}

Mask::Mask(std::vector<MaskTensor> tensors) : tensors_(std::move(tensors)) {
  std::ranges::sort(tensors_, {}, &MaskTensor::name);
  for (size_t i = 0; i < tensors_.size(); ++i) {
    MaskTensor& tensor = tensors_[i];
    if (i > 0 && tensor.name == tensors_[i - 1].name) {
      Defect("locate", "a mask has '{}' twice", tensor.name);
    }
    if (const std::string fault = Fault(tensor); !fault.empty()) {
      Defect("locate", "mask of '{}' has {}", tensor.name, fault);
    }
    tensor.count = 0;
    for (const uint8_t byte : tensor.bits) tensor.count += std::popcount(byte);
    count_ += tensor.count;
    total_ += tensor.size();
  }
}

const MaskTensor* Mask::Find(std::string_view name) const {
  const auto found = std::ranges::lower_bound(tensors_, name, {}, &MaskTensor::name);
  return found != tensors_.end() && found->name == name ? &*found : nullptr;
}

at::Tensor Mask::Indices(std::string_view name) const {
  const MaskTensor* tensor = Find(name);
  at::Tensor indices = at::empty({tensor ? tensor->count : 0}, at::kLong);
  if (!tensor) return indices;
  int64_t* next = indices.mutable_data_ptr<int64_t>();
  for (size_t byte = 0; byte < tensor->bits.size(); ++byte) {
    for (uint32_t rest = tensor->bits[byte]; rest != 0; rest &= rest - 1) {
      *next++ = static_cast<int64_t>(byte) * 8 + std::countr_zero(rest);
    }
  }
  return indices;
}

void Mask::Save(const std::filesystem::path& path) const {
  std::map<std::string, std::string> entries = metadata_;
  entries["format"] = kFormat;
  Json shapes = Json::object();
  for (const MaskTensor& tensor : tensors_) shapes[tensor.name] = tensor.shape;
  entries["shapes"] = shapes.dump();
  entries["count"] = std::to_string(count_);

  std::vector<TensorInfo> infos;
  for (const MaskTensor& tensor : tensors_) {
    infos.push_back({tensor.name, DType::kU8, {static_cast<int64_t>(tensor.bits.size())}});
  }
  SafetensorsWriter writer(path, infos, SafetensorsMetadata(entries.begin(), entries.end()));
  for (const MaskTensor& tensor : tensors_) {
    writer.Write(std::as_bytes(std::span(tensor.bits)));
  }
  writer.Commit();
}

Mask Mask::Load(const std::filesystem::path& path) {
  const SafetensorsFile file(path);
  const std::string name = path.string();
  const auto required = [&](std::string_view key) -> const std::string& {
    const std::string* value = file.FindMetadata(key);
    if (!value) BadInput("locate", "{}: metadata '{}' is missing; is it a mask file?", name, key);
    return *value;
  };
  if (const std::string& format = required("format"); format != kFormat) {
    BadInput("locate", "{}: format is '{}', expected {}", name, Printable(format), kFormat);
  }

  std::map<std::string, std::vector<int64_t>> shapes = ParseShapes(name, required("shapes"));
  std::vector<MaskTensor> tensors;
  for (const TensorInfo& info : file.tensors()) {
    const std::string tensor_name = Printable(info.name);
    const auto shape = shapes.find(info.name);
    if (shape == shapes.end()) {
      BadInput("locate", "{}: '{}' is not in metadata 'shapes'", name, tensor_name);
    }
    if (info.dtype != DType::kU8) {
      BadInput("locate", "{}: '{}' is {}, expected U8", name, tensor_name, DTypeName(info.dtype));
    }
    const auto bytes = file.Bytes(static_cast<int64_t>(tensors.size()));
    const auto* bits = reinterpret_cast<const uint8_t*>(bytes.data());
    MaskTensor tensor{info.name, std::move(shape->second), {bits, bits + bytes.size()}};
    shapes.erase(shape);
    if (const std::string fault = Fault(tensor); !fault.empty()) {
      BadInput("locate", "{}: '{}' has {}", name, tensor_name, fault);
    }
    tensors.push_back(std::move(tensor));
  }
  if (!shapes.empty()) {
    BadInput("locate", "{}: metadata 'shapes' has '{}', but no such tensor is in the file", name,
             Printable(shapes.begin()->first));
  }

  Mask mask(std::move(tensors));
  if (const std::string& count = required("count"); count != std::to_string(mask.count())) {
    BadInput("locate", "{}: metadata 'count' is '{}', but {} bits are set", name, Printable(count),
             mask.count());
  }
  for (const auto& [key, value] : file.metadata()) {
    if (key != "format" && key != "shapes" && key != "count") mask.metadata_[key] = value;
  }
  return mask;
}

}  // namespace grin
