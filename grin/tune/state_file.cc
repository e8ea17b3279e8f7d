#include "grin/tune/state_file.h"

#include <array>
#include <bit>
#include <cstring>
#include <vector>

#include "grin/base/error.h"
#include "grin/base/digest.h"
#include "grin/io/safetensors.h"

namespace grin {
namespace {

constexpr std::string_view kStateFormat = "grin-state-1";

struct StateType {
  DType stored;
  at::ScalarType scalar;
};

constexpr std::array kStateTypes{
    StateType{DType::kF64, at::kDouble}, StateType{DType::kF32, at::kFloat},
    StateType{DType::kF16, at::kHalf},   StateType{DType::kBF16, at::kBFloat16},
    StateType{DType::kI64, at::kLong},   StateType{DType::kI32, at::kInt},
    StateType{DType::kU8, at::kByte}};

std::span<const std::byte> BytesOf(const at::Tensor& tensor) {
  return {static_cast<const std::byte*>(tensor.const_data_ptr()), tensor.nbytes()};
}

// The checksum covers the fields and, in the order of the file, what each tensor is and holds.
class StateChecksum {
 public:
  explicit StateChecksum(std::string_view fields) { digest_.Add(fields); }

  void Add(const TensorInfo& info, std::span<const std::byte> bytes) {
    digest_.Add(fmt::format("\n{} {} {}\n", info.name, DTypeName(info.dtype),
                            FormatShape(info.shape)));
    digest_.Add(bytes);
  }
  std::string Finish() { return digest_.Finish(); }

 private:
  Sha256 digest_;
};

}  // namespace

void WriteStateFile(const std::filesystem::path& path, const StateFile& state) {
  const std::string fields = state.fields.dump();
  std::vector<TensorInfo> infos;
  std::vector<at::Tensor> values;
  StateChecksum checksum(fields);
  for (const auto& [name, tensor] : state.tensors) {
    const at::Tensor value = tensor.cpu().contiguous();
    const auto type = std::ranges::find(kStateTypes, value.scalar_type(), &StateType::scalar);
    if (type == kStateTypes.end()) {
      Defect("tune", "'{}' of type {} has no place in a state", name,
             c10::toString(value.scalar_type()));
    }
    infos.push_back({name, type->stored, value.sizes().vec()});
    values.push_back(value);
    checksum.Add(infos.back(), BytesOf(value));
  }
  SafetensorsWriter writer(
      path, infos,
      {{"format", std::string(kStateFormat)}, {"fields", fields}, {"sha256", checksum.Finish()}});
  for (const at::Tensor& value : values) writer.Write(BytesOf(value));
  writer.Commit();
}

StateFile ReadStateFile(const std::filesystem::path& path) {
  const SafetensorsFile file(path);
  const auto required = [&](std::string_view key) -> const std::string& {
    const std::string* value = file.FindMetadata(key);
    if (!value) BadInput("tune", "{}: metadata '{}' is missing", path.string(), key);
    return *value;
  };
  if (const std::string& format = required("format"); format != kStateFormat) {
    BadInput("tune", "{}: the format is '{}', this version reads {}", path.string(), format,
             kStateFormat);
  }
  StateChecksum checksum(required("fields"));
  for (size_t i = 0; i < file.tensors().size(); ++i) {
    checksum.Add(file.tensors()[i], file.Bytes(static_cast<int64_t>(i)));
  }
  if (checksum.Finish() != required("sha256")) {
    BadInput("tune", "{}: the content does not match its checksum", path.string());
  }
  StateFile state;
  state.fields = Json::parse(required("fields"));
  for (size_t i = 0; i < file.tensors().size(); ++i) {
    const TensorInfo& info = file.tensors()[i];
    const auto type = std::ranges::find(kStateTypes, info.dtype, &StateType::stored);
    if (type == kStateTypes.end()) {
      BadInput("tune", "{}: '{}' is of type {}", path.string(), info.name, DTypeName(info.dtype));
    }
    const at::Tensor tensor = at::empty(info.shape, type->scalar);
    const auto bytes = file.Bytes(static_cast<int64_t>(i));
    if (!bytes.empty()) std::memcpy(tensor.mutable_data_ptr(), bytes.data(), bytes.size());
    state.tensors.emplace(info.name, tensor);
  }
  return state;
}

Json ExactJson(double value) { return std::bit_cast<uint64_t>(value); }

double FromExactJson(const Json& json) { return std::bit_cast<double>(json.get<uint64_t>()); }

}  // namespace grin
