#pragma once
// GGUF files made byte by byte, right or wrong.

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace grin {

class GgufBuilder {
 public:
  enum Type : uint32_t {
    kUint8,
    kInt8,
    kUint16,
    kInt16,
    kUint32,
    kInt32,
    kFloat32,
    kBool,
    kString,
    kArray,
    kUint64,
    kInt64,
    kFloat64
  };

  template <typename T>
  static std::string Raw(T value) {
    return {reinterpret_cast<const char*>(&value), sizeof(T)};
  }
  static std::string Raw(std::string_view text) {
    return Raw(uint64_t{text.size()}) + std::string(text);
  }

  // A value of which `raw` are the bytes.
  GgufBuilder& Add(std::string_view key, uint32_t type, const std::string& raw) {
    values += Raw(key) + Raw(type) + raw;
    ++value_count;
    return *this;
  }
  GgufBuilder& Count(std::string_view key, uint32_t value) { return Add(key, kUint32, Raw(value)); }
  GgufBuilder& Number(std::string_view key, float value) { return Add(key, kFloat32, Raw(value)); }
  GgufBuilder& Text(std::string_view key, std::string_view value) {
    return Add(key, kString, Raw(value));
  }
  GgufBuilder& Flag(std::string_view key, bool value) { return Add(key, kBool, Raw(value)); }
  GgufBuilder& Texts(std::string_view key, const std::vector<std::string>& list) {
    std::string raw = Raw(uint32_t{kString}) + Raw(uint64_t{list.size()});
    for (const std::string& text : list) raw += Raw(std::string_view(text));
    return Add(key, kArray, raw);
  }
  GgufBuilder& Floats(std::string_view key, const std::vector<float>& list) {
    std::string raw = Raw(uint32_t{kFloat32}) + Raw(uint64_t{list.size()});
    for (const float value : list) raw += Raw(value);
    return Add(key, kArray, raw);
  }
  GgufBuilder& Ints(std::string_view key, const std::vector<int32_t>& list) {
    std::string raw = Raw(uint32_t{kInt32}) + Raw(uint64_t{list.size()});
    for (const int32_t value : list) raw += Raw(value);
    return Add(key, kArray, raw);
  }

  // `dims` fastest first, as the file has them; `size` bytes of data, appended and aligned.
  GgufBuilder& Tensor(std::string_view name, const std::vector<uint64_t>& dims, uint32_t type,
                      const std::string& bytes) {
    return Entry(name, dims, type, data.size(), bytes);
  }
  GgufBuilder& Entry(std::string_view name, const std::vector<uint64_t>& dims, uint32_t type,
                     uint64_t offset, const std::string& bytes) {
    tensors += Raw(name) + Raw(static_cast<uint32_t>(dims.size()));
    for (const uint64_t dim : dims) tensors += Raw(dim);
    tensors += Raw(type) + Raw(offset);
    data += bytes;
    data_end = data.size();
    data.resize((data.size() + 31) / 32 * 32);
    ++tensor_count;
    return *this;
  }

  // Without the padding after the last tensor, so that every byte counts.
  std::string Build() const {
    std::string file = "GGUF" + Raw(version) + Raw(tensor_count) + Raw(value_count);
    file += values + tensors;
    file.resize((file.size() + 31) / 32 * 32);
    return file + data.substr(0, data_end);
  }

  uint32_t version = 3;
  uint64_t tensor_count = 0, value_count = 0;
  std::string values, tensors, data;
  size_t data_end = 0;
};

// A whole model of one layer with a byte-level tokenizer of four tokens; `changes` adds to it.
inline GgufBuilder TinyModel(const std::string& architecture = "llama") {
  GgufBuilder b;
  const auto zeros = [](size_t count) { return std::string(count * 4, '\0'); };
  b.Text("general.architecture", architecture);
  b.Count(architecture + ".block_count", 1).Count(architecture + ".context_length", 16);
  b.Count(architecture + ".embedding_length", 4).Count(architecture + ".feed_forward_length", 6);
  b.Count(architecture + ".attention.head_count", 2);
  b.Tensor("token_embd.weight", {4, 4}, 0, zeros(16))
      .Tensor("output_norm.weight", {4}, 0, zeros(4));
  b.Tensor("blk.0.attn_norm.weight", {4}, 0, zeros(4));
  b.Tensor("blk.0.ffn_norm.weight", {4}, 0, zeros(4));
  for (const char* part : {"attn_q", "attn_k", "attn_v", "attn_output"}) {
    b.Tensor("blk.0." + std::string(part) + ".weight", {4, 4}, 0, zeros(16));
  }
  b.Tensor("blk.0.ffn_gate.weight", {4, 6}, 0, zeros(24));
  b.Tensor("blk.0.ffn_up.weight", {4, 6}, 0, zeros(24));
  b.Tensor("blk.0.ffn_down.weight", {6, 4}, 0, zeros(24));
  return b;
}

inline GgufBuilder& AddTinyTokenizer(GgufBuilder& b) {
  return b.Text("tokenizer.ggml.model", "gpt2")
      .Text("tokenizer.ggml.pre", "gpt-2")
      .Texts("tokenizer.ggml.tokens", {"a", "b", "ab", "<end>"})
      .Ints("tokenizer.ggml.token_type", {1, 1, 1, 3})
      .Texts("tokenizer.ggml.merges", {"a b"})
      .Count("tokenizer.ggml.eos_token_id", 3);
}

}  // namespace grin
