#include "grin/gguf/gguf_file.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <unordered_set>

#include "grin/base/error.h"
#include "grin/base/printable.h"
#include "grin/base/utf8.h"
#include "grin/io/tensor_info.h"

namespace grin {
namespace {

constexpr uint64_t kMaxArray = uint64_t{1} << 24;   // elements; the largest vocabularies have 2^18
constexpr int kMaxDepth = 3;                        // arrays of arrays
constexpr uint64_t kMinKeyValue = 8 + 4 + 1;        // bytes: key length, type, shortest value
constexpr uint64_t kMinTensor = 8 + 4 + 8 + 4 + 8;  // bytes: name length, rank, size, type, offset
constexpr uint32_t kMaxRank = 4;

using namespace gguf_value;

// Smallest number of bytes that a value of a type can take; 0 for an unknown type.
uint64_t MinSize(uint32_t type) {
  constexpr uint64_t kSizes[] = {1, 1, 2, 2, 4, 4, 4, 1, 8, 12, 8, 8, 8};
  return type < std::size(kSizes) ? kSizes[type] : 0;
}

// Reads forward through the file; every read is checked against what is left.
class Reader {
 public:
  Reader(std::span<const std::byte> bytes, std::string file) : bytes_(bytes), file_(file) {}

  uint64_t position() const { return position_; }
  uint64_t left() const { return bytes_.size() - position_; }

  // What is being read, for messages.
  void SetContext(std::string context) { context_ = std::move(context); }

  template <typename T>
  T Read() {
    Need(sizeof(T));
    T value;
    std::memcpy(&value, bytes_.data() + position_, sizeof(T));
    position_ += sizeof(T);
    return value;
  }

  std::string_view ReadString() {
    const auto length = Read<uint64_t>();
    Need(length);
    const std::string_view text(reinterpret_cast<const char*>(bytes_.data()) + position_, length);
    position_ += length;
    return text;
  }

  GgufValue ReadValue(uint32_t type, int depth = 0) {
    switch (type) {
      case kUint8:
        return {uint64_t{Read<uint8_t>()}};
      case kUint16:
        return {uint64_t{Read<uint16_t>()}};
      case kUint32:
        return {uint64_t{Read<uint32_t>()}};
      case kUint64:
        return {Read<uint64_t>()};
      case kInt8:
        return {int64_t{Read<int8_t>()}};
      case kInt16:
        return {int64_t{Read<int16_t>()}};
      case kInt32:
        return {int64_t{Read<int32_t>()}};
      case kInt64:
        return {Read<int64_t>()};
      case kFloat32:
        return {double{Read<float>()}};
      case kFloat64:
        return {Read<double>()};
      case kBool:
        return {ReadBool()};
      case kString:
        return {ReadString()};
      case kArray:
        return {ReadArray(depth)};
      default:
        BadInput("io", "{}: {} has the unknown value type {}", file_, context_, type);
    }
  }

 private:
  void Need(uint64_t count) {
    if (count > left()) {
      BadInput("io",
               "{}: {} needs {} bytes at byte {}, the file has only {} more: truncated or "
               "damaged",
               file_, context_, count, position_, left());
    }
  }

  bool ReadBool() {
    const auto value = Read<uint8_t>();
    if (value > 1) {
      BadInput("io", "{}: {} is a boolean with the value {}", file_, context_, value);
    }
    return value != 0;
  }

  std::vector<GgufValue> ReadArray(int depth) {
    const auto type = Read<uint32_t>();
    const auto count = Read<uint64_t>();
    if (depth == kMaxDepth) BadInput("io", "{}: {} has too deeply nested arrays", file_, context_);
    if (MinSize(type) == 0) {
      BadInput("io", "{}: {} has the unknown element type {}", file_, context_, type);
    }
    if (count > kMaxArray || count > left() / MinSize(type)) {
      BadInput("io",
               "{}: {} says it has {} elements, more than the file can hold: truncated or "
               "damaged",
               file_, context_, count);
    }
    std::vector<GgufValue> values;
    values.reserve(count);
    for (uint64_t i = 0; i < count; ++i) values.push_back(ReadValue(type, depth + 1));
    return values;
  }

  std::span<const std::byte> bytes_;
  std::string file_;
  std::string context_ = "the header";
  uint64_t position_ = 0;
};

void CheckName(std::string_view name, std::string_view kind, const std::string& file) {
  if (name.empty() || name.size() > 65535 || !IsUtf8(name)) {
    BadInput("io", "{}: the {} name '{}' is empty, too long or not UTF-8", file, kind,
             Printable(name));
  }
}

// What the tensor table says, before the place of the data is known.
struct TensorEntry {
  GgufTensor tensor;
  uint64_t offset = 0;
  uint64_t size = 0;
};

TensorEntry ReadTensorEntry(Reader& reader, const std::string& file) {
  TensorEntry entry;
  const std::string_view name = reader.ReadString();
  CheckName(name, "tensor", file);
  entry.tensor.name = name;
  const std::string shown = Printable(name);
  reader.SetContext(fmt::format("the table entry of tensor '{}'", shown));
  const auto rank = reader.Read<uint32_t>();
  if (rank > kMaxRank) {
    BadInput("io", "{}: tensor '{}' has {} dimensions, at most {} are allowed", file, shown, rank,
             kMaxRank);
  }
  std::vector<int64_t>& shape = entry.tensor.shape;
  int64_t elements = 1;
  for (uint32_t i = 0; i < rank; ++i) {
    const auto size = reader.Read<uint64_t>();
    if (size == 0 || size > uint64_t{1} << 62 ||
        __builtin_mul_overflow(elements, static_cast<int64_t>(size), &elements)) {
      BadInput("io", "{}: tensor '{}' has an impossible dimension of {}", file, shown, size);
    }
    shape.insert(shape.begin(), static_cast<int64_t>(size));
  }
  const auto type = reader.Read<uint32_t>();
  const GgufTypeTraits* traits = FindGgufType(type);
  if (!traits) {
    BadInput("io", "{}: tensor '{}' is stored as {}, which cannot be read; known are {}", file,
             shown, GgufTypeName(type), ReadableGgufTypes());
  }
  entry.tensor.type = traits->type;
  const int64_t row = shape.empty() ? 1 : shape.back();
  int64_t bytes = 0;
  if (row % traits->block_elements != 0) {
    BadInput("io", "{}: tensor '{}' has rows of {} elements, {} needs a multiple of {}", file,
             shown, row, traits->name, traits->block_elements);
  }
  if (__builtin_mul_overflow(elements / traits->block_elements, traits->block_bytes, &bytes)) {
    BadInput("io", "{}: tensor '{}' has more elements than any file can hold", file, shown);
  }
  entry.size = static_cast<uint64_t>(bytes);
  entry.offset = reader.Read<uint64_t>();
  return entry;
}

void CheckNoOverlap(const std::vector<TensorEntry>& entries, const std::string& file) {
  std::vector<const TensorEntry*> sorted;
  for (const TensorEntry& entry : entries) sorted.push_back(&entry);
  std::ranges::sort(sorted, {}, &TensorEntry::offset);
  for (size_t i = 1; i < sorted.size(); ++i) {
    if (sorted[i - 1]->offset + sorted[i - 1]->size > sorted[i]->offset) {
      BadInput("io", "{}: the tensors '{}' and '{}' overlap", file,
               Printable(sorted[i - 1]->tensor.name), Printable(sorted[i]->tensor.name));
    }
  }
}

}  // namespace

int64_t GgufTensor::elements() const { return TensorInfo{.shape = shape}.elements(); }

GgufFile::GgufFile(const std::filesystem::path& path) : file_(path) {
  const std::string name = path.string();
  Reader reader(file_.bytes(), name);
  if (reader.Read<uint32_t>() != 0x46554747) {  // "GGUF"
    BadInput("io", "{}: is not a GGUF file", name);
  }
  version_ = reader.Read<uint32_t>();
  if (version_ != 2 && version_ != 3) {
    const bool swapped = version_ != 0 && (version_ & 0xffff) == 0;
    BadInput("io", "{}: is GGUF {}, only versions 2 and 3 are read", name,
             swapped ? "in big-endian order" : fmt::format("version {}", version_));
  }
  const auto tensor_count = reader.Read<uint64_t>();
  const auto value_count = reader.Read<uint64_t>();
  if (value_count > reader.left() / kMinKeyValue || tensor_count > reader.left() / kMinTensor) {
    BadInput("io",
             "{}: the header promises {} values and {} tensors, more than its {} bytes can "
             "hold: truncated or damaged",
             name, value_count, tensor_count, file_.bytes().size());
  }
  for (uint64_t i = 0; i < value_count; ++i) {
    reader.SetContext(fmt::format("the key of metadata value {}", i));
    const std::string_view key = reader.ReadString();
    CheckName(key, "key", name);
    reader.SetContext(fmt::format("the value of '{}'", Printable(key)));
    const auto type = reader.Read<uint32_t>();
    if (!values_.emplace(key, reader.ReadValue(type)).second) {
      BadInput("io", "{}: the key '{}' occurs twice", name, Printable(key));
    }
    keys_.emplace_back(key);
  }

  std::vector<TensorEntry> entries;
  std::unordered_set<std::string_view> names;
  entries.reserve(tensor_count);  // the views in `names` must stay valid
  for (uint64_t i = 0; i < tensor_count; ++i) {
    reader.SetContext(fmt::format("the table entry of tensor {}", i));
    entries.push_back(ReadTensorEntry(reader, name));
    if (!names.insert(entries.back().tensor.name).second) {
      BadInput("io", "{}: the tensor '{}' occurs twice", name,
               Printable(entries.back().tensor.name));
    }
  }

  const uint64_t alignment = Unsigned("general.alignment").value_or(32);
  if (alignment < 8 || alignment > uint64_t{1} << 20 || !std::has_single_bit(alignment)) {
    BadInput("io", "{}: general.alignment is {}, expected a power of two from 8 on", name,
             alignment);
  }
  const uint64_t start = (reader.position() + alignment - 1) / alignment * alignment;
  const uint64_t available = file_.bytes().size() - std::min(start, uint64_t{file_.bytes().size()});
  for (TensorEntry& entry : entries) {
    const std::string shown = Printable(entry.tensor.name);
    if (entry.offset % alignment != 0) {
      BadInput("io", "{}: tensor '{}' begins at byte {} of the data, expected a multiple of {}",
               name, shown, entry.offset, alignment);
    }
    if (entry.offset > available || entry.size > available - entry.offset) {
      BadInput("io",
               "{}: tensor '{}' takes {} bytes from byte {} of the data, the file has only "
               "{}: truncated or damaged",
               name, shown, entry.size, entry.offset, available);
    }
    entry.tensor.bytes = file_.bytes().subspan(start + entry.offset, entry.size);
  }
  CheckNoOverlap(entries, name);
  for (TensorEntry& entry : entries) tensors_.push_back(std::move(entry.tensor));
}

const GgufValue* GgufFile::Find(std::string_view key) const {
  const auto found = values_.find(std::string(key));
  return found == values_.end() ? nullptr : &found->second;
}

const GgufTensor* GgufFile::FindTensor(std::string_view name) const {
  const auto found = std::ranges::find(tensors_, name, &GgufTensor::name);
  return found == tensors_.end() ? nullptr : &*found;
}

template <typename T>
const T* GgufFile::Typed(std::string_view key, std::string_view kind) const {
  const GgufValue* value = Find(key);
  if (!value) return nullptr;
  const T* typed = std::get_if<T>(&value->value);
  if (!typed) BadInput("io", "{}: the value of '{}' is not {}", path(), Printable(key), kind);
  return typed;
}

std::optional<uint64_t> GgufFile::Unsigned(std::string_view key) const {
  const GgufValue* value = Find(key);
  if (!value) return std::nullopt;
  if (const auto* integer = std::get_if<int64_t>(&value->value); integer && *integer >= 0) {
    return static_cast<uint64_t>(*integer);
  }
  return *Typed<uint64_t>(key, "a non-negative integer");
}

std::optional<double> GgufFile::Number(std::string_view key) const {
  const GgufValue* value = Find(key);
  if (!value) return std::nullopt;
  if (const auto* integer = std::get_if<int64_t>(&value->value)) return *integer;
  if (const auto* integer = std::get_if<uint64_t>(&value->value)) return *integer;
  return *Typed<double>(key, "a number");
}

std::optional<bool> GgufFile::Bool(std::string_view key) const {
  const bool* value = Typed<bool>(key, "a boolean");
  return value ? std::optional(*value) : std::nullopt;
}

std::optional<std::string> GgufFile::String(std::string_view key) const {
  const std::string_view* value = Typed<std::string_view>(key, "a string");
  if (!value) return std::nullopt;
  if (const size_t bad = FirstInvalidUtf8(*value); bad != std::string::npos) {
    BadInput("io", "{}: the value of '{}' is not UTF-8 text at its byte {}", path(), key, bad);
  }
  return std::string(*value);
}

const std::vector<GgufValue>* GgufFile::Array(std::string_view key) const {
  return Typed<std::vector<GgufValue>>(key, "an array");
}

}  // namespace grin
