#include "grin/gguf/gguf_checkpoint.h"

#include <cstring>
#include <fstream>
#include <map>
#include <set>

#include "grin/base/error.h"
#include "grin/base/printable.h"
#include "grin/gguf/config.h"
#include "grin/gguf/dequantize.h"
#include "grin/gguf/gguf_file.h"
#include "grin/gguf/tokenizer.h"

namespace grin {
namespace {

namespace fs = std::filesystem;

DType StoredType(GgufType type) {
  switch (type) {
    case GgufType::kF16:
      return DType::kF16;
    case GgufType::kBF16:
      return DType::kBF16;
    default:
      return DType::kF32;
  }
}

class GgufCheckpoint : public Checkpoint {
 public:
  explicit GgufCheckpoint(const fs::path& path);

  const SafetensorsFile* ShardFile(size_t) const override { return nullptr; }

 private:
  // One tensor of tensors(), where it lies in the file.
  struct Source {
    const GgufTensor* tensor;
    int64_t rotary_heads;  // > 0: rows are pairwise within each of this many heads
  };

  void AddTensors(const GgufArchitecture& architecture);
  void CheckTensors() const;
  void AddSideFiles();
  TensorBytes ReadAt(size_t index) const override;

  std::shared_ptr<const GgufFile> file_;
  std::vector<Source> sources_;
};

GgufCheckpoint::GgufCheckpoint(const fs::path& path)
    : Checkpoint(path), file_(std::make_shared<const GgufFile>(path)) {
  const GgufArchitecture& architecture = FindGgufArchitecture(*file_);
  config_ = MakeGgufConfig(*file_, architecture);
  AddTensors(architecture);
  IndexTensors();
  CheckTensors();
  AddSideFiles();
}

void GgufCheckpoint::AddTensors(const GgufArchitecture& architecture) {
  std::map<DType, int64_t> elements_of;
  for (const GgufTensor& tensor : file_->tensors()) {
    std::string name = CheckpointTensorName(tensor.name, *file_);
    if (name.empty()) continue;
    int64_t rotary_heads = 0;
    if (architecture.interleaved_rotary) {
      if (name.find(".q_proj.") != std::string::npos) rotary_heads = config_["num_attention_heads"];
      if (name.find(".k_proj.") != std::string::npos) rotary_heads = config_["num_key_value_heads"];
    }
    tensors_.push_back({std::move(name), StoredType(tensor.type), tensor.shape});
    sources_.push_back({&tensor, rotary_heads});
    elements_of[tensors_.back().dtype] += tensor.elements();
  }
  shards_.push_back({"model.safetensors", 0, tensors_.size(), {{"format", "pt"}}});
  DType most = DType::kF32;  // norms stay F32 beside matrices of 16 bits
  for (const auto& [dtype, elements] : elements_of) {
    if (elements > elements_of[most]) most = dtype;
  }
  config_["torch_dtype"] = TorchDTypeName(most);
}

// Every tensor that the configuration promises is there, of the promised shape, and no other.
void GgufCheckpoint::CheckTensors() const {
  const auto size = [&](const char* key) { return config_.at(key).get<int64_t>(); };
  const int64_t d = size("hidden_size"), ffn = size("intermediate_size");
  const int64_t q = size("num_attention_heads") * size("head_dim");
  const int64_t kv = size("num_key_value_heads") * size("head_dim");
  const int64_t layers = size("num_hidden_layers"), vocabulary = size("vocab_size");
  const auto flag = [&](const char* key) { return config_.value(key, false); };
  const bool qkv_bias = config_.at("model_type") == "qwen2" || flag("attention_bias");
  const bool head_norms = config_.at("model_type") == "qwen3", mlp_bias = flag("mlp_bias");
  size_t checked = 0;
  const auto expect = [&](const std::string& name, const std::vector<int64_t>& shape) {
    const TensorInfo* tensor = Find(name);
    if (!tensor) {
      BadInput("io", "{}: has no tensor for '{}', which {} layers need", path_.string(), name,
               layers);
    }
    if (tensor->shape != shape) {
      BadInput("io", "{}: the tensor for '{}' has shape {}, expected {}", path_.string(), name,
               FormatShape(tensor->shape), FormatShape(shape));
    }
    ++checked;
  };
  const auto expect_linear = [&](const std::string& name, int64_t out, int64_t in, bool bias) {
    expect(name + ".weight", {out, in});
    if (bias) expect(name + ".bias", {out});
  };
  expect("model.embed_tokens.weight", {vocabulary, d});
  expect("model.norm.weight", {d});
  if (!flag("tie_word_embeddings")) expect("lm_head.weight", {vocabulary, d});
  for (int64_t layer = 0; layer < layers; ++layer) {
    const std::string prefix = fmt::format("model.layers.{}.", layer);
    expect(prefix + "input_layernorm.weight", {d});
    expect_linear(prefix + "self_attn.q_proj", q, d, qkv_bias);
    expect_linear(prefix + "self_attn.k_proj", kv, d, qkv_bias);
    expect_linear(prefix + "self_attn.v_proj", kv, d, qkv_bias);
    if (head_norms) {
      expect(prefix + "self_attn.q_norm.weight", {size("head_dim")});
      expect(prefix + "self_attn.k_norm.weight", {size("head_dim")});
    }
    expect_linear(prefix + "self_attn.o_proj", d, q, flag("attention_bias"));
    expect(prefix + "post_attention_layernorm.weight", {d});
    expect_linear(prefix + "mlp.gate_proj", ffn, d, mlp_bias);
    expect_linear(prefix + "mlp.up_proj", ffn, d, mlp_bias);
    expect_linear(prefix + "mlp.down_proj", d, ffn, mlp_bias);
  }
  if (checked != tensors_.size()) {
    BadInput("io", "{}: has {} weight tensors, {} layers of '{}' need {}", path_.string(),
             tensors_.size(), layers, config_.at("model_type").get<std::string>(), checked);
  }
}

void GgufCheckpoint::AddSideFiles() {
  side_files_.push_back({"config.json", {}, config_.dump(2) + "\n"});
  for (auto& [name, text] :
       MakeGgufTokenizerFiles(*file_, config_.at("vocab_size").get<uint64_t>())) {
    side_files_.push_back({name, {}, std::move(text)});
  }
}

// The file keeps, of each head, row 2j + i where the checkpoint has row i * half + j, i in {0, 1}.
std::vector<std::byte> UndoPairing(std::span<const std::byte> rows, int64_t row_count,
                                   int64_t heads) {
  const auto row_bytes = rows.size() / static_cast<size_t>(row_count);
  const int64_t head_dim = row_count / heads, half = head_dim / 2;
  std::vector<std::byte> out(rows.size());
  for (int64_t row = 0; row < row_count; ++row) {
    const int64_t within = row % head_dim;
    const int64_t from = row - within + within % half * 2 + within / half;
    std::memcpy(out.data() + static_cast<size_t>(row) * row_bytes,
                rows.data() + static_cast<size_t>(from) * row_bytes, row_bytes);
  }
  return out;
}

TensorBytes GgufCheckpoint::ReadAt(size_t index) const {
  const Source& source = sources_[index];
  const GgufTensor& tensor = *source.tensor;
  std::span<const std::byte> bytes = tensor.bytes;
  std::shared_ptr<const void> owner = file_;  // tensors begin at multiples of 8: aligned
  if (TraitsOf(tensor.type).block_elements > 1) {
    auto decoded = std::make_shared<std::vector<float>>(static_cast<size_t>(tensor.elements()));
    Dequantize(tensor.type, tensor.bytes, *decoded);
    bytes = std::as_bytes(std::span(*decoded));
    owner = std::move(decoded);
  }
  if (source.rotary_heads > 0) {
    auto ordered = std::make_shared<std::vector<std::byte>>(
        UndoPairing(bytes, tensor.shape[0], source.rotary_heads));
    bytes = *ordered;
    owner = std::move(ordered);
  }
  return {bytes, std::move(owner)};
}

}  // namespace

bool IsGgufFile(const fs::path& path) {
  char magic[4] = {};
  std::ifstream(path, std::ios::binary).read(magic, sizeof(magic));
  return std::string_view(magic, sizeof(magic)) == "GGUF";
}

std::shared_ptr<const Checkpoint> OpenGgufCheckpoint(const fs::path& path) {
  return std::make_shared<GgufCheckpoint>(path);
}

}  // namespace grin
