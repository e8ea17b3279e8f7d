#include "grin/io/safetensors_header.h"

#include <limits>
#include <optional>
#include <unordered_set>

#include "grin/base/error.h"
#include "grin/base/json.h"
#include "grin/base/printable.h"

namespace grin {
namespace {

// SAX consumer. The grammar is three levels deep:
//   { name: {"dtype": string, "shape": [n...], "data_offsets": [n, n]}, "__metadata__": {k: string}
//   }
class HeaderReader : public nlohmann::json_sax<Json> {
 public:
  HeaderReader(std::string_view file, SafetensorsHeader& header) : file_(file), header_(header) {}

  bool start_object(size_t) override {
    if (level_ == 2 || in_array_) return Unexpected("an object");
    ++level_;
    if (level_ == 2 && !in_metadata_) {
      entry_ = {};
      entry_.info.name = name_;
      dtype_.reset();
      shape_.reset();
      offsets_.reset();
    }
    return true;
  }

  bool end_object() override {
    if (level_ == 2 && !in_metadata_) FinishTensor();
    --level_;
    return true;
  }

  bool key(std::string& key) override {
    if (level_ == 1) {
      if (!names_.insert(key).second) {
        BadInput("io", "{}: the header has '{}' twice", file_, Printable(key));
      }
      in_metadata_ = key == "__metadata__";
      name_ = key;
    } else {
      field_ = key;
    }
    return true;
  }

  bool string(std::string& value) override {
    if (level_ == 2 && in_metadata_) {
      header_.metadata.emplace_back(field_, value);
      return true;
    }
    if (level_ != 2 || in_array_ || field_ != "dtype" || dtype_) return Unexpected("a string");
    dtype_ = ParseDType(value);
    if (!dtype_) {
      BadInput("io", "{}: tensor '{}' has the unknown type '{}'; known are {}", file_,
               Printable(name_), Printable(value), KnownDTypes());
    }
    return true;
  }

  bool start_array(size_t) override {
    if (level_ != 2 || in_metadata_ || in_array_) return Unexpected("an array");
    auto& target = field_ == "shape" ? shape_ : offsets_;
    if ((field_ != "shape" && field_ != "data_offsets") || target) return Unexpected("an array");
    target.emplace();
    in_array_ = &*target;
    return true;
  }

  bool end_array() override {
    in_array_ = nullptr;
    return true;
  }

  bool number_unsigned(uint64_t value) override {
    if (!in_array_) return Unexpected("a number");
    in_array_->push_back(value);
    return true;
  }

  bool number_integer(int64_t value) override {
    return Unexpected(fmt::format("the negative number {}", value));
  }
  bool number_float(double, const std::string& text) override {
    return Unexpected("the number " + Printable(text, 30));
  }
  bool null() override { return Unexpected("null"); }
  bool boolean(bool) override { return Unexpected("a boolean"); }
  bool binary(Json::binary_t&) override { return Unexpected("binary data"); }

  bool parse_error(size_t position, const std::string&, const Json::exception&) override {
    BadInput("io", "{}: the header is not valid JSON at its byte {}", file_, position);
  }

 private:
  bool Unexpected(std::string_view what) {
    if (level_ == 0) BadInput("io", "{}: the header is {}, not a JSON object", file_, what);
    if (level_ == 1) {
      BadInput("io", "{}: '{}' in the header is {}, not an object", file_, Printable(name_), what);
    }
    BadInput("io", "{}: '{}' of '{}' in the header is or contains {}, which does not belong there",
             file_, Printable(field_), Printable(name_), what);
  }

  void FinishTensor() {
    const std::string name = Printable(name_);
    const auto need = [&](bool present, std::string_view field) {
      if (!present) BadInput("io", "{}: tensor '{}' has no '{}' in the header", file_, name, field);
    };
    need(dtype_.has_value(), "dtype");
    need(shape_.has_value(), "shape");
    need(offsets_.has_value(), "data_offsets");
    if (offsets_->size() != 2 || (*offsets_)[0] > (*offsets_)[1]) {
      BadInput("io", "{}: tensor '{}': data_offsets must be [begin, end] with begin <= end", file_,
               name);
    }
    entry_.info.dtype = *dtype_;
    // As the product may pass through 0, the other factors are bounded on their own.
    int64_t bytes = DTypeSize(*dtype_);
    bool overflow = false, empty = false;
    for (const uint64_t size : *shape_) {
      overflow |= size > static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
      entry_.info.shape.push_back(static_cast<int64_t>(size));
      empty |= size == 0;
      if (size != 0) {
        overflow |= __builtin_mul_overflow(bytes, static_cast<int64_t>(size), &bytes);
      }
    }
    if (overflow) {
      BadInput("io", "{}: tensor '{}': its shape has more elements than any file can hold", file_,
               name);
    }
    if (empty) bytes = 0;
    entry_.begin = (*offsets_)[0];
    entry_.end = (*offsets_)[1];
    if (entry_.end - entry_.begin != static_cast<uint64_t>(bytes)) {
      BadInput("io", "{}: tensor '{}': {} of shape {} takes {} bytes, data_offsets span {}", file_,
               name, DTypeName(*dtype_), FormatShape(entry_.info.shape), bytes,
               entry_.end - entry_.begin);
    }
    header_.entries.push_back(std::move(entry_));
  }

  std::string_view file_;
  SafetensorsHeader& header_;
  int level_ = 0;
  bool in_metadata_ = false;
  std::vector<uint64_t>* in_array_ = nullptr;
  std::string name_, field_;
  std::unordered_set<std::string> names_;
  SafetensorsEntry entry_;
  std::optional<DType> dtype_;
  std::optional<std::vector<uint64_t>> shape_, offsets_;
};

std::string Quote(std::string_view text) { return Json(text).dump(); }

}  // namespace

SafetensorsHeader ParseSafetensorsHeader(std::string_view text, std::string_view file) {
  SafetensorsHeader header;
  HeaderReader reader(file, header);
  Json::sax_parse(text.begin(), text.end(), &reader);
  return header;
}

std::string FormatSafetensorsHeader(const std::vector<TensorInfo>& tensors,
                                    const SafetensorsMetadata& metadata) {
  std::string header = "{";
  if (!metadata.empty()) {
    header += "\"__metadata__\":{";
    for (const auto& [key, value] : metadata) header += Quote(key) + ":" + Quote(value) + ",";
    header.back() = '}';
    header += ',';
  }
  int64_t offset = 0;
  for (const TensorInfo& tensor : tensors) {
    const int64_t end = offset + tensor.byte_size();
    std::string shape = FormatShape(tensor.shape);
    std::erase(shape, ' ');
    header += fmt::format("{}:{{\"dtype\":\"{}\",\"shape\":{},\"data_offsets\":[{},{}]}},",
                          Quote(tensor.name), DTypeName(tensor.dtype), shape, offset, end);
    offset = end;
  }
  if (header.size() > 1) header.pop_back();
  header += '}';
  header.resize((header.size() + 7) / 8 * 8, ' ');
  return header;
}

}  // namespace grin
