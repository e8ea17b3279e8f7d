#include "grin/io/gguf_export.h"

#include <cstring>
#include <string>
#include <vector>

#include "grin/base/error.h"
#include "grin/base/log.h"
#include "grin/io/gguf_config.h"
#include "grin/io/gguf_export_tokenizer.h"
#include "grin/io/gguf_quantize.h"
#include "grin/io/gguf_writer.h"
#include "grin/io/llama3_rope.h"
#include "grin/io/printable.h"

namespace grin {
namespace {

namespace fs = std::filesystem;

constexpr const char* kRopeFactors = "rope_freqs.weight";

// What readers show as the file's type; the numbers are those of the format.
uint32_t FileType(GgufType type) {
  switch (type) {
    case GgufType::kF32:
      return 0;
    case GgufType::kF16:
      return 1;
    case GgufType::kQ4_0:
      return 2;
    case GgufType::kQ8_0:
      return 7;
    default:
      return 32;  // BF16
  }
}

GgufType StoredAs(DType dtype) {
  switch (dtype) {
    case DType::kF16:
      return GgufType::kF16;
    case DType::kBF16:
      return GgufType::kBF16;
    default:
      return GgufType::kF32;
  }
}

// Reads config.json; errors name the file and the key.
class Config {
 public:
  explicit Config(const Checkpoint& source)
      : json_(source.config()), where_(source.path().string() + "/config.json") {}

  bool Has(const char* key) const { return json_.contains(key) && !json_.at(key).is_null(); }
  uint32_t Count(const char* key) const {
    const bool whole = Has(key) && json_.at(key).is_number_integer();
    const int64_t count = whole ? json_.at(key).get<int64_t>() : 0;
    if (count <= 0 || count > UINT32_MAX) {
      BadInput("io", "{}: '{}' is {}; it must be a count", where_, key,
               Has(key) ? Printable(json_.at(key).dump()) : "missing");
    }
    return static_cast<uint32_t>(count);
  }
  uint32_t Count(const char* key, uint32_t otherwise) const {
    return Has(key) ? Count(key) : otherwise;
  }
  double Number(const char* key, double otherwise) const {
    return Has(key) && json_.at(key).is_number() ? json_.at(key).get<double>() : otherwise;
  }
  bool Flag(const char* key) const { return Has(key) && json_.at(key) == true; }
  // The object that says how positions are scaled, under either of its names.
  Json Rope() const {
    for (const char* key : {"rope_scaling", "rope_parameters"}) {
      if (Has(key) && json_.at(key).is_object()) return json_.at(key);
    }
    return Json::object();
  }
  const std::string& where() const { return where_; }

 private:
  const Json& json_;
  std::string where_;
};

double RopeNumber(const Json& rope, const char* key, double otherwise) {
  const auto found = rope.find(key);
  return found != rope.end() && found->is_number() ? found->get<double>() : otherwise;
}

class GgufExport {
 public:
  GgufExport(const Checkpoint& source, const fs::path& path, std::optional<GgufType> type)
      : source_(source), config_(source), type_(type), writer_(path) {
    const std::string model_type = source.config().value("model_type", "");
    architecture_ = GgufArchitectureOf(model_type);
    if (!architecture_) {
      BadInput("io",
               "{}: model_type '{}' cannot be written as GGUF; it must be llama, mistral or "
               "qwen2",
               config_.where(), Printable(model_type));
    }
    heads_ = config_.Count("num_attention_heads");
    kv_heads_ = config_.Count("num_key_value_heads", heads_);
    head_dim_ = config_.Count("head_dim", config_.Count("hidden_size") / heads_);
  }

  void Run() {
    AddSettings();
    AddRope();
    const std::string without = AddGgufTokenizer(source_, config_.Count("vocab_size"), writer_);
    if (!without.empty()) {
      Warn("{}: the GGUF file gets no tokenizer: {}", source_.path().string(), without);
    }
    AnnounceTensors();
    writer_.WriteHeader();
    if (!rope_factors_.empty()) writer_.WriteTensor(std::as_bytes(std::span(rope_factors_)));
    for (const Target& target : targets_) WriteTensor(target);
    writer_.Commit();
  }

 private:
  struct Target {
    const TensorInfo* tensor;
    GgufType type;
    uint32_t rotary_heads;  // > 0: rows go pairwise within each of this many heads
  };

  void AddSettings() {
    const std::string name(architecture_->name);
    const auto key = [&](const char* rest) { return name + "." + rest; };
    writer_.AddString("general.architecture", name);
    writer_.AddString("general.name", fs::absolute(source_.path()).filename().string());
    GgufType most = type_.value_or(GgufType::kF32);
    if (const TensorInfo* embedding = source_.Find("model.embed_tokens.weight");
        !type_ && embedding) {
      most = StoredAs(embedding->dtype);
    }
    writer_.AddUint32("general.file_type", FileType(most));
    writer_.AddUint32("general.quantization_version", 2);
    writer_.AddUint32(key("block_count"), config_.Count("num_hidden_layers"));
    writer_.AddUint32(key("context_length"), config_.Count("max_position_embeddings"));
    writer_.AddUint32(key("embedding_length"), config_.Count("hidden_size"));
    writer_.AddUint32(key("feed_forward_length"), config_.Count("intermediate_size"));
    writer_.AddUint32(key("vocab_size"), config_.Count("vocab_size"));
    writer_.AddUint32(key("attention.head_count"), heads_);
    writer_.AddUint32(key("attention.head_count_kv"), kv_heads_);
    writer_.AddUint32(key("attention.key_length"), head_dim_);
    writer_.AddUint32(key("attention.value_length"), head_dim_);
    writer_.AddUint32(key("rope.dimension_count"), head_dim_);
    writer_.AddFloat32(key("attention.layer_norm_rms_epsilon"),
                       static_cast<float>(config_.Number("rms_norm_eps", 1e-6)));
    // Qwen2 has the window's size in its config also where it does not use one.
    const bool windowed = architecture_->name == "llama" || config_.Flag("use_sliding_window");
    if (windowed && config_.Has("sliding_window")) {
      writer_.AddUint32(key("attention.sliding_window"), config_.Count("sliding_window"));
    }
  }

  void AddRope() {
    const std::string prefix = std::string(architecture_->name) + ".rope.";
    const Json rope = config_.Rope();
    const double theta = RopeNumber(rope, "rope_theta", config_.Number("rope_theta", 10000.0));
    writer_.AddFloat32(prefix + "freq_base", static_cast<float>(theta));
    const std::string type = rope.value("rope_type", rope.value("type", "default"));
    const double factor = RopeNumber(rope, "factor", 1.0);
    if (type == "default") return;
    if (type == "llama3") {
      const Llama3Rope rule = {factor, RopeNumber(rope, "low_freq_factor", 1.0),
                               RopeNumber(rope, "high_freq_factor", 4.0),
                               RopeNumber(rope, "original_max_position_embeddings", 8192.0)};
      for (int64_t i = 0; i < head_dim_ / 2; ++i) {
        rope_factors_.push_back(static_cast<float>(rule.Divisor(theta, head_dim_, i)));
      }
    } else if (type == "linear" || type == "yarn") {
      writer_.AddString(prefix + "scaling.type", type);
      writer_.AddFloat32(prefix + "scaling.factor", static_cast<float>(factor));
      const double original = RopeNumber(rope, "original_max_position_embeddings", 0.0);
      if (original > 0) {
        writer_.AddUint32(prefix + "scaling.original_context_length",
                          static_cast<uint32_t>(original));
      }
    } else {
      BadInput("io", "{}: the rope scaling '{}' cannot be written as GGUF", config_.where(),
               Printable(type));
    }
  }

  void AnnounceTensors() {
    if (!rope_factors_.empty()) {
      writer_.AddTensor(kRopeFactors, GgufType::kF32, {static_cast<int64_t>(rope_factors_.size())});
    }
    int64_t unblocked = 0;
    for (const TensorInfo& tensor : source_.tensors()) {
      if (tensor.name.ends_with("rotary_emb.inv_freq")) continue;  // a buffer of old checkpoints
      if (tensor.name == "lm_head.weight" && config_.Flag("tie_word_embeddings")) continue;
      const std::string name = GgufTensorName(tensor.name);
      if (name.empty() || !IsFloat(tensor.dtype)) {
        BadInput("io", "{}: the tensor '{}' has no place in a GGUF file of this architecture",
                 source_.path().string(), Printable(tensor.name));
      }
      Target target = {&tensor, GgufType::kF32, 0};
      if (tensor.shape.size() > 1) {
        target.type = type_.value_or(StoredAs(tensor.dtype));
        if (tensor.shape.back() % TraitsOf(target.type).block_elements != 0) {
          target.type = GgufType::kF16;
          ++unblocked;
        }
      }
      if (architecture_->interleaved_rotary) {
        if (tensor.name.find(".q_proj.") != std::string::npos) target.rotary_heads = heads_;
        if (tensor.name.find(".k_proj.") != std::string::npos) target.rotary_heads = kv_heads_;
      }
      if (target.rotary_heads > 0 && tensor.shape[0] != int64_t{target.rotary_heads} * head_dim_) {
        BadInput("io", "{}: the tensor '{}' has {} rows, expected {} heads of {}",
                 source_.path().string(), Printable(tensor.name), tensor.shape[0],
                 target.rotary_heads, head_dim_);
      }
      writer_.AddTensor(name, target.type, tensor.shape);
      targets_.push_back(target);
    }
    if (unblocked > 0) {
      Warn("{}: the rows of {} matrices do not divide into blocks of {}; they become F16",
           source_.path().string(), unblocked, TraitsOf(*type_).block_elements);
    }
  }

  void WriteTensor(const Target& target) {
    const TensorInfo& tensor = *target.tensor;
    const TensorBytes bytes = source_.Read(tensor.name);
    std::vector<float> values(static_cast<size_t>(tensor.elements()));
    ConvertFloats(tensor.dtype, bytes.bytes, DType::kF32,
                  std::as_writable_bytes(std::span(values)));
    if (target.rotary_heads > 0) values = Paired(values, tensor.shape[0]);
    writer_.WriteTensor(Quantize(target.type, values));
  }

  // Row i * half + j of each head goes to 2j + i, i in {0, 1}.
  std::vector<float> Paired(const std::vector<float>& rows, int64_t row_count) const {
    const size_t width = rows.size() / static_cast<size_t>(row_count);
    const int64_t half = head_dim_ / 2;
    std::vector<float> paired(rows.size());
    for (int64_t row = 0; row < row_count; ++row) {
      const int64_t within = row % head_dim_;
      const int64_t to = row - within + within % half * 2 + within / half;
      std::copy_n(rows.data() + static_cast<size_t>(row) * width, width,
                  paired.data() + static_cast<size_t>(to) * width);
    }
    return paired;
  }

  const Checkpoint& source_;
  Config config_;
  std::optional<GgufType> type_;
  GgufWriter writer_;
  const GgufArchitecture* architecture_ = nullptr;
  uint32_t heads_ = 0, kv_heads_ = 0, head_dim_ = 0;
  std::vector<float> rope_factors_;
  std::vector<Target> targets_;
};

}  // namespace

void WriteGguf(const Checkpoint& source, const fs::path& path, std::optional<GgufType> type) {
  GgufExport(source, path, type).Run();
}

}  // namespace grin
