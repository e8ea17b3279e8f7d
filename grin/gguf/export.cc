#include "grin/gguf/export.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "grin/base/error.h"
#include "grin/base/log.h"
#include "grin/gguf/export_tokenizer.h"
#include "grin/gguf/quantize.h"
#include "grin/gguf/writer.h"
#include "grin/model/family.h"
#include "grin/model/rope_rules.h"
#include "grin/model/weights.h"

namespace grin {
namespace {

namespace fs = std::filesystem;

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

std::span<const float> Values(const at::Tensor& tensor) {
  return {tensor.const_data_ptr<float>(), static_cast<size_t>(tensor.numel())};
}

bool Near(double a, double b) { return std::abs(a - b) <= 1e-6 * std::abs(b); }

class GgufExport {
 public:
  GgufExport(const Checkpoint& source, const fs::path& path, std::optional<GgufType> type)
      : source_(source),
        where_(source.path().string() + "/config.json"),
        reader_(source.config(), where_),
        family_(FamilyOf(reader_)),
        config_(ParseModelConfig(source.config(), where_)),
        prefix_(FindPrefix(config_.names, [&](const std::string& name) { return Has(name); })),
        type_(type),
        writer_(path) {}

  void Run() {
    CheckExpressible();
    AddSettings();
    AddAttentionSettings();
    AddRopes();
    const std::string without =
        AddGgufTokenizer(source_, static_cast<uint64_t>(config_.vocabulary), writer_);
    if (!without.empty()) {
      Warn("{}: the GGUF file gets no tokenizer: {}", source_.path().string(), without);
      writer_.AddString("tokenizer.ggml.model", "none");
    }
    ListTensors();
    WarnOfOthers();
    writer_.WriteHeader();
    for (const Target& target : targets_) {
      at::Tensor values = target.read();
      writer_.WriteTensor(Quantize(target.type, Values(values.contiguous())));
    }
    writer_.Commit();
  }

 private:
  struct Target {
    GgufType type;
    std::function<at::Tensor()> read;  // fp32, in the order of the file
  };
  using Arrange = std::function<at::Tensor(const at::Tensor&)>;

  bool Has(const std::string& name) const { return source_.Find(name) != nullptr; }

  template <typename... Args>
  [[noreturn]] void Refuse(fmt::format_string<Args...> what, Args&&... args) const {
    BadInput("model", "{}: cannot be written as GGUF: {}", where_,
             fmt::format(what, std::forward<Args>(args)...));
  }

  // What readers compute without being told is as this model has it.
  void CheckExpressible() const {
    const GgufTraits& gguf = family_.gguf;
    if (gguf.architecture.empty()) {
      Refuse("the format has no architecture for {} models", family_.name);
    }
    if (config_.activation != FindActivation(family_.activation)) {
      Refuse("its activation is not {}, which readers take for granted", family_.activation);
    }
    if (gguf.always_parallel && !config_.parallel_residual) {
      Refuse("its attention and MLP follow each other; readers have them side by side");
    }
    if (gguf.head == GgufTraits::Head::kTied && !config_.tied_embeddings) {
      Refuse("its head is not the embedding, as readers have it");
    }
    using Biases = GgufTraits::Biases;
    const bool some = config_.output_bias || config_.mlp_bias;
    const bool all = config_.output_bias && config_.mlp_bias && config_.qkv_bias;
    if ((gguf.biases == Biases::kNone && some) || (gguf.biases == Biases::kAll && !all)) {
      Refuse("readers expect {} biases in attention and MLP",
             gguf.biases == Biases::kAll ? "all" : "no");
    }
    if (config_.qk_norm_bias && !config_.names.block.q_norm.empty()) {
      Refuse("readers know no norms of queries and keys that have biases");
    }
    const bool by_width = gguf.layers_scaled_by_width == config_.layers;
    const double scale = 1.0 / std::sqrt(static_cast<double>(
                                   by_width ? config_.hidden / config_.heads : config_.head_dim));
    for (size_t i = 0; i < config_.layer.size(); ++i) {
      const LayerConfig& layer = config_.layer[i];
      if (!Near(layer.attention.scale, scale)) {
        Refuse("attention of layer {} is scaled by {}; readers take {}", i, layer.attention.scale,
               scale);
      }
      const bool turns = config_.names.positions.empty() &&
                         (gguf.no_rope_step == 0 || (i + 1) % gguf.no_rope_step != 0);
      if (layer.rope.has_value() != turns) {
        Refuse("layer {} {} rotary positions, which readers do not expect", i,
               turns ? "has no" : "has");
      }
    }
  }

  std::string Key(const char* rest) const {
    return std::string(family_.gguf.architecture) + "." + rest;
  }
  void AddCount(const char* rest, int64_t value) {
    writer_.AddUint32(Key(rest), static_cast<uint32_t>(value));
  }
  void AddNumber(const char* rest, double value) {
    writer_.AddFloat32(Key(rest), static_cast<float>(value));
  }

  void AddSettings() {
    writer_.AddString("general.architecture", family_.gguf.architecture);
    writer_.AddString("general.name", fs::absolute(source_.path()).filename().string());
    GgufType most = type_.value_or(GgufType::kF32);
    if (const TensorInfo* embedding = source_.Find(prefix_ + config_.names.embedding + ".weight");
        !type_ && embedding) {
      most = StoredAs(embedding->dtype);
    }
    writer_.AddUint32("general.file_type", FileType(most));
    writer_.AddUint32("general.quantization_version", 2);
    AddCount("block_count", config_.layers);
    AddCount("context_length", config_.context);
    AddCount("embedding_length", config_.hidden);
    AddCount("feed_forward_length", config_.intermediate);
    AddCount("vocab_size", config_.vocabulary);
    if (config_.norm.kind == NormConfig::Kind::kRms) {
      AddNumber("attention.layer_norm_rms_epsilon", config_.norm.epsilon);
    } else {
      AddNumber("attention.layer_norm_epsilon", config_.norm.epsilon);
      writer_.AddBool(Key("use_parallel_residual"), config_.parallel_residual);
    }
    if (config_.final_softcap) AddNumber("final_logit_softcapping", *config_.final_softcap);
  }

  void AddAttentionSettings() {
    AddCount("attention.head_count", config_.heads);
    AddCount("attention.head_count_kv", config_.kv_heads);
    AddCount("attention.key_length", config_.head_dim);
    AddCount("attention.value_length", config_.head_dim);
    if (const auto cap = config_.layer.front().attention.softcap) {
      AddNumber("attn_logit_softcapping", *cap);
    }
    std::vector<bool> windowed;
    int64_t window = 0;
    for (const LayerConfig& layer : config_.layer) {
      windowed.push_back(layer.attention.window.has_value());
      if (windowed.back()) window = *layer.attention.window;
    }
    if (window == 0) return;
    if (!family_.gguf.windows) {
      Warn("{}: readers of GGUF let {} models see beyond their window of {} tokens", where_,
           family_.name, window);
    }
    AddCount("attention.sliding_window", window);
    if (std::ranges::count(windowed, false) > 0) {
      writer_.AddBools(Key("attention.sliding_window_pattern"), windowed);
    }
  }

  void AddRopes() {
    if (config_.ropes.empty()) return;
    const RopeConfig& rope = config_.ropes.front();
    AddCount("rope.dimension_count", rope.dimensions);
    AddNumber("rope.freq_base", rope.theta);
    if (config_.ropes.size() > 1) {
      const RopeConfig& local = config_.ropes.back();
      if (local.kind != RopeConfig::Kind::kPlain) Refuse("positions within windows are scaled");
      AddNumber("rope.freq_base_swa", local.theta);
    }
    switch (rope.kind) {
      case RopeConfig::Kind::kPlain:
        return;
      case RopeConfig::Kind::kLinear:
        writer_.AddString(Key("rope.scaling.type"), "linear");
        return AddNumber("rope.scaling.factor", rope.factor);
      case RopeConfig::Kind::kYarn:
        writer_.AddString(Key("rope.scaling.type"), "yarn");
        AddNumber("rope.scaling.factor", rope.factor);
        if (!rope.truncate || !Near(rope.beta_fast, 32.0) || !Near(rope.beta_slow, 1.0)) {
          Refuse("its yarn has a range of its own (beta_fast, beta_slow, truncate)");
        }
        // Readers multiply by the temperature that belongs to the factor.
        AddNumber("rope.scaling.attn_factor", rope.magnitude / YarnMagnitude(rope.factor));
        return AddCount("rope.scaling.original_context_length", rope.original_context);
      case RopeConfig::Kind::kLongRope:
        writer_.AddString(Key("rope.scaling.type"), "longrope");
        AddNumber("rope.scaling.attn_factor", rope.magnitude);
        AddFactors("rope_factors_long.weight", rope.long_factors);
        AddFactors("rope_factors_short.weight", rope.short_factors);
        return AddCount("rope.scaling.original_context_length", rope.original_context);
      case RopeConfig::Kind::kLlama3: {
        const Llama3Rope rule = {rope.factor, rope.low_frequency_factor, rope.high_frequency_factor,
                                 static_cast<double>(rope.original_context)};
        std::vector<double> divisors;
        for (int64_t i = 0; i < rope.dimensions / 2; ++i) {
          const double frequency = RopeFrequency(rope.theta, rope.dimensions, i);
          divisors.push_back(1.0 / rule.Multiplier(frequency));
        }
        return AddFactors("rope_freqs.weight", divisors);
      }
    }
  }

  void Add(const std::string& name, GgufType type, const std::vector<int64_t>& shape,
           std::function<at::Tensor()> read) {
    writer_.AddTensor(name, type, shape);
    targets_.push_back({type, std::move(read)});
  }

  void AddFactors(const char* name, const std::vector<double>& factors) {
    const at::Tensor values = at::tensor(factors, at::kFloat);
    Add(name, GgufType::kF32, values.sizes().vec(), [values] { return values; });
  }

  const TensorInfo& Need(const std::string& name, const std::vector<int64_t>& shape) {
    const TensorInfo* info = source_.Find(name);
    if (!info || !FloatScalarType(info->dtype) || info->shape != shape) {
      BadInput(
          "model", "{}: the tensor {} is {}; it must hold floats of the shape {}",
          source_.path().string(), name,
          info ? fmt::format("{} {}", DTypeName(info->dtype), FormatShape(info->shape)) : "missing",
          FormatShape(shape));
    }
    used_.insert(name);
    return *info;
  }

  at::Tensor Read(const TensorInfo& info) const {
    return StoredTensor(source_, info).to(at::kFloat);
  }

  // A norm's weight or a bias, of any shape.
  void AddVector(const std::string& name, const std::string& gguf,
                 const std::vector<int64_t>& shape, const Arrange& arrange = {}) {
    const TensorInfo& info = Need(name, shape);
    Add(gguf, GgufType::kF32, shape,
        [this, &info, arrange] { return arrange ? arrange(Read(info)) : Read(info); });
  }

  // A weight matrix [out, in] of the file, and its bias. `arrange` orders rows of [out, ...].
  void AddMatrix(const std::string& name, const std::string& gguf, int64_t out, int64_t in,
                 bool bias, bool transposed, const Arrange& arrange = {}) {
    if (name.empty()) return;
    const TensorInfo& info =
        Need(name + ".weight", transposed ? std::vector{in, out} : std::vector{out, in});
    GgufType type = type_.value_or(StoredAs(info.dtype));
    if (in % TraitsOf(type).block_elements != 0) {
      type = GgufType::kF16;
      ++unblocked_;
    }
    Add(gguf + ".weight", type, {out, in}, [this, &info, transposed, arrange] {
      const at::Tensor rows = transposed ? Read(info).t() : Read(info);
      return arrange ? arrange(rows) : rows;
    });
    if (bias) AddVector(name + ".bias", gguf + ".bias", {out}, arrange);
  }

  void AddNorm(const std::string& name, const std::string& gguf, int64_t width, bool bias) {
    if (name.empty()) return;
    const double offset = config_.norm.offset;  // readers multiply by what is stored
    AddVector(name + ".weight", gguf + ".weight", {width},
              [offset](const at::Tensor& weight) { return weight + offset; });
    if (bias) AddVector(name + ".bias", gguf + ".bias", {width});
  }

  // Norms of queries or keys: one for all heads, or one for each, which the file stacks.
  void AddHeadNorms(const std::string& block, const std::vector<std::string>& names,
                    const std::string& gguf, int64_t heads) {
    const int64_t width = (config_.qk_norm_whole ? heads : 1) * config_.head_dim;
    if (names.size() == 1) {
      return AddNorm(block + names[0], gguf, width, config_.qk_norm_bias);
    }
    if (names.empty()) return;
    std::vector<const TensorInfo*> parts;
    for (const std::string& name : names) parts.push_back(&Need(block + name + ".weight", {width}));
    Add(gguf + ".weight", GgufType::kF32, {static_cast<int64_t>(names.size()), width},
        [this, parts] {
          std::vector<at::Tensor> rows;
          for (const TensorInfo* part : parts) rows.push_back(Read(*part));
          return at::stack(rows);
        });
  }

  // Rows of a head that turn together lie half a head apart here, and side by side there.
  Arrange Paired(int64_t heads) const {
    if (!family_.gguf.paired_rotary) return {};
    return [heads](const at::Tensor& rows) {
      return rows.unflatten(0, {heads, 2, -1}).transpose(1, 2).flatten(0, 2);
    };
  }

  // Queries, keys and values by groups go to all queries, all keys, all values.
  Arrange Ungrouped() const {
    if (config_.qkv_layout == QkvLayout::kParts) return {};
    return [groups = config_.kv_heads, share = config_.heads / config_.kv_heads,
            width = config_.head_dim](const at::Tensor& rows) {
      const at::Tensor grouped = rows.unflatten(0, {groups, share + 2, width});
      const auto part = [&](int64_t first, int64_t count) {
        return grouped.narrow(1, first, count).flatten(0, 2);
      };
      return at::cat({part(0, share), part(share, 1), part(share + 1, 1)});
    };
  }

  void ListTensors() {
    const TensorNames& names = config_.names;
    const int64_t d = config_.hidden;
    AddMatrix(prefix_ + names.embedding, "token_embd", config_.vocabulary, d, false, false);
    if (!names.positions.empty()) {
      AddVector(prefix_ + names.positions + ".weight", "position_embd.weight",
                {config_.context + config_.position_offset, d});
    }
    for (int64_t i = 0; i < config_.layers; ++i) {
      ListBlock(fmt::format("{}{}.{}.", prefix_, names.layers, i), fmt::format("blk.{}.", i));
    }
    AddNorm(prefix_ + names.final_norm, "output_norm", d, config_.norm.bias);
    const std::string head = FindHead(names, [&](const std::string& name) { return Has(name); });
    if (!config_.tied_embeddings) {
      AddMatrix(head, "output", config_.vocabulary, d, config_.head_bias, false);
    } else {
      used_.insert(head + ".weight");  // a copy of the embedding, where it is there
      if (family_.gguf.head == GgufTraits::Head::kOwn) {
        AddMatrix(prefix_ + names.embedding, "output", config_.vocabulary, d, false, false);
      }
      if (config_.head_bias) AddVector(head + ".bias", "output.bias", {config_.vocabulary});
    }
    if (unblocked_ > 0) {
      Warn("{}: the rows of {} matrices do not divide into blocks of {}; they become F16",
           source_.path().string(), unblocked_, TraitsOf(*type_).block_elements);
    }
  }

  void ListBlock(const std::string& block, const std::string& to) {
    const BlockNames& names = config_.names.block;
    const int64_t d = config_.hidden, inner = config_.intermediate;
    const int64_t q = config_.heads * config_.head_dim, kv = config_.kv_heads * config_.head_dim;
    const auto norm = [&](const std::string& name, std::string_view gguf) {
      if (!name.empty()) AddNorm(block + name, to + std::string(gguf), d, config_.norm.bias);
    };
    const auto matrix = [&](const std::string& name, const char* gguf, int64_t out, int64_t in,
                            bool bias, const Arrange& arrange = {}) {
      if (name.empty()) return;
      AddMatrix(block + name, to + gguf, out, in, bias, config_.transposed_matrices, arrange);
    };
    const bool one_norm = names.mlp_norm.empty();
    norm(names.input_norm, one_norm ? "attn_norm" : family_.gguf.input_norm);
    matrix(names.q, "attn_q", q, d, config_.qkv_bias, Paired(config_.heads));
    matrix(names.k, "attn_k", kv, d, config_.qkv_bias, Paired(config_.kv_heads));
    matrix(names.v, "attn_v", kv, d, config_.qkv_bias);
    matrix(names.qkv, "attn_qkv", q + 2 * kv, d, config_.qkv_bias, Ungrouped());
    AddHeadNorms(block, names.q_norm, to + "attn_q_norm", config_.heads);
    AddHeadNorms(block, names.k_norm, to + "attn_k_norm", config_.kv_heads);
    matrix(names.o, "attn_output", d, q, config_.output_bias);
    norm(names.attention_out_norm, "post_attention_norm");
    norm(names.mlp_norm, family_.gguf.mlp_norm);
    matrix(names.gate, "ffn_gate", inner, d, config_.mlp_bias);
    matrix(names.up, "ffn_up", inner, d, config_.mlp_bias);
    matrix(names.gate_up, "ffn_up", 2 * inner, d, config_.mlp_bias);
    matrix(names.down, "ffn_down", d, inner, config_.mlp_bias);
    norm(names.mlp_out_norm, "post_ffw_norm");
  }

  void WarnOfOthers() const {
    std::vector<std::string_view> others;
    for (const TensorInfo& info : source_.tensors()) {
      if (!used_.contains(info.name)) others.push_back(info.name);
    }
    if (others.empty()) return;
    Warn("{}: {} tensors that the model does not use are left out, {} the first",
         source_.path().string(), others.size(), others.front());
  }

  const Checkpoint& source_;
  std::string where_;  // config.json, for errors
  JsonFields reader_;
  const Family& family_;
  ModelConfig config_;
  std::string prefix_;
  std::optional<GgufType> type_;
  GgufWriter writer_;
  std::vector<Target> targets_;
  std::set<std::string> used_;  // names of the checkpoint's tensors
  int64_t unblocked_ = 0;
};

}  // namespace

void WriteGguf(const Checkpoint& source, const fs::path& path, std::optional<GgufType> type) {
  GgufExport(source, path, type).Run();
}

}  // namespace grin
