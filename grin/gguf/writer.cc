#include "grin/gguf/writer.h"

#include <bit>
#include <cstring>

#include "grin/base/error.h"

namespace grin {
namespace {

static_assert(std::endian::native == std::endian::little);

constexpr uint64_t kAlignment = 32;
constexpr uint32_t kVersion = 3;

template <typename T>
void Put(std::string& out, T value) {
  char bytes[sizeof(T)];
  std::memcpy(bytes, &value, sizeof(T));
  out.append(bytes, sizeof(T));
}

void PutString(std::string& out, std::string_view text) {
  Put<uint64_t>(out, text.size());
  out += text;
}

uint64_t Padded(uint64_t size) { return (size + kAlignment - 1) / kAlignment * kAlignment; }

}  // namespace

void GgufWriter::AddKey(std::string_view key, uint32_t type) {
  PutString(metadata_, key);
  Put(metadata_, type);
  ++keys_;
}

void GgufWriter::AddUint32(std::string_view key, uint32_t value) {
  AddKey(key, gguf_value::kUint32);
  Put(metadata_, value);
}

void GgufWriter::AddFloat32(std::string_view key, float value) {
  AddKey(key, gguf_value::kFloat32);
  Put(metadata_, value);
}

void GgufWriter::AddBool(std::string_view key, bool value) {
  AddKey(key, gguf_value::kBool);
  Put<uint8_t>(metadata_, value ? 1 : 0);
}

void GgufWriter::AddString(std::string_view key, std::string_view value) {
  AddKey(key, gguf_value::kString);
  PutString(metadata_, value);
}

void GgufWriter::AddStrings(std::string_view key, std::span<const std::string> values) {
  AddKey(key, gguf_value::kArray);
  Put<uint32_t>(metadata_, gguf_value::kString);
  Put<uint64_t>(metadata_, values.size());
  for (const std::string& value : values) PutString(metadata_, value);
}

void GgufWriter::AddFloats(std::string_view key, std::span<const float> values) {
  AddKey(key, gguf_value::kArray);
  Put<uint32_t>(metadata_, gguf_value::kFloat32);
  Put<uint64_t>(metadata_, values.size());
  for (const float value : values) Put(metadata_, value);
}

void GgufWriter::AddBools(std::string_view key, const std::vector<bool>& values) {
  AddKey(key, gguf_value::kArray);
  Put<uint32_t>(metadata_, gguf_value::kBool);
  Put<uint64_t>(metadata_, values.size());
  for (const bool value : values) Put<uint8_t>(metadata_, value ? 1 : 0);
}

void GgufWriter::AddInts(std::string_view key, std::span<const int32_t> values) {
  AddKey(key, gguf_value::kArray);
  Put<uint32_t>(metadata_, gguf_value::kInt32);
  Put<uint64_t>(metadata_, values.size());
  for (const int32_t value : values) Put(metadata_, value);
}

void GgufWriter::AddTensor(std::string_view name, GgufType type,
                           const std::vector<int64_t>& shape) {
  const GgufTypeTraits& traits = TraitsOf(type);
  PutString(tensors_, name);
  Put(tensors_, static_cast<uint32_t>(shape.size()));
  int64_t elements = 1;
  for (auto size = shape.rbegin(); size != shape.rend(); ++size) {
    Put(tensors_, static_cast<uint64_t>(*size));
    elements *= *size;
  }
  Put(tensors_, static_cast<uint32_t>(type));
  Put(tensors_, data_size_);
  sizes_.push_back(static_cast<uint64_t>(elements / traits.block_elements * traits.block_bytes));
  data_size_ += Padded(sizes_.back());
  ++tensor_count_;
}

void GgufWriter::WriteHeader() {
  std::string head = "GGUF";
  Put(head, kVersion);
  Put(head, tensor_count_);
  Put(head, keys_);
  for (const std::string& part : {head, metadata_, tensors_}) {
    file_.Write(part);
    written_ += part.size();
  }
  Pad();
}

void GgufWriter::Pad() {
  const std::string zeros(Padded(written_) - written_, '\0');
  file_.Write(zeros);
  written_ += zeros.size();
}

void GgufWriter::WriteTensor(std::span<const std::byte> bytes) {
  if (next_ >= sizes_.size() || bytes.size() != sizes_[next_]) {
    Defect("io", "tensor {} of a GGUF file has {} bytes, others were announced", next_,
           bytes.size());
  }
  ++next_;
  file_.Write(bytes);
  written_ += bytes.size();
  Pad();
}

void GgufWriter::Commit() {
  if (next_ != sizes_.size()) Defect("io", "a GGUF file lacks tensors that were announced");
  file_.Commit();
}

}  // namespace grin
