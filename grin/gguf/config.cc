#include "grin/gguf/config.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "grin/base/error.h"
#include "grin/base/printable.h"
#include "grin/gguf/dequantize.h"
#include "grin/model/rope_rules.h"

namespace grin {
namespace {

constexpr std::array kArchitectures{
    GgufArchitecture{"llama", "llama", "LlamaForCausalLM", true},
    GgufArchitecture{"qwen2", "qwen2", "Qwen2ForCausalLM", false},
    GgufArchitecture{"qwen3", "qwen3", "Qwen3ForCausalLM", false},
    GgufArchitecture{"smollm3", "smollm3", "SmolLM3ForCausalLM", true},
};

// Names of a layer's parts, in GGUF and in a checkpoint.
constexpr std::array<std::pair<std::string_view, std::string_view>, 11> kParts{{
    {"attn_norm", "input_layernorm"},
    {"attn_q", "self_attn.q_proj"},
    {"attn_k", "self_attn.k_proj"},
    {"attn_v", "self_attn.v_proj"},
    {"attn_q_norm", "self_attn.q_norm"},
    {"attn_k_norm", "self_attn.k_norm"},
    {"attn_output", "self_attn.o_proj"},
    {"ffn_norm", "post_attention_layernorm"},
    {"ffn_gate", "mlp.gate_proj"},
    {"ffn_up", "mlp.up_proj"},
    {"ffn_down", "mlp.down_proj"},
}};

constexpr uint64_t kMaxCount = uint64_t{1} << 31;  // products of two then fit 64 bits

// Reads "ARCHITECTURE.key" values, none of which can be negative.
class Settings {
 public:
  Settings(const GgufFile& file, std::string_view architecture)
      : file_(file), prefix_(std::string(architecture) + ".") {}

  std::optional<uint64_t> Count(std::string_view key) const {
    // Some writers give one value per layer; only models whose layers are alike can be imported.
    const std::string full = prefix_ + std::string(key);
    const GgufValue* value = file_.Find(full);
    const bool is_array = value && std::holds_alternative<std::vector<GgufValue>>(value->value);
    const std::optional<uint64_t> count = is_array ? Uniform(full) : file_.Unsigned(full);
    if (count && *count > kMaxCount) BadInput("io", "{}: '{}' is {}", file_.path(), full, *count);
    return count;
  }
  uint64_t NeedCount(std::string_view key) const {
    const std::optional<uint64_t> value = Count(key);
    if (!value) BadInput("io", "{}: has no '{}{}'", file_.path(), prefix_, key);
    if (*value == 0) BadInput("io", "{}: '{}{}' is 0", file_.path(), prefix_, key);
    return *value;
  }
  std::optional<double> Number(std::string_view key) const {
    const std::string full = prefix_ + std::string(key);
    const std::optional<double> value = file_.Number(full);
    if (value && !(*value >= 0.0 && *value <= std::numeric_limits<float>::max())) {
      BadInput("io", "{}: '{}' is {}", file_.path(), full, *value);
    }
    return value;
  }
  std::optional<std::string> String(std::string_view key) const {
    return file_.String(prefix_ + std::string(key));
  }

 private:
  std::optional<uint64_t> Uniform(const std::string& key) const {
    std::optional<uint64_t> common;
    for (const GgufValue& value : *file_.Array(key)) {
      const auto* wide = std::get_if<uint64_t>(&value.value);
      const auto* narrow = std::get_if<int64_t>(&value.value);
      const uint64_t number = wide ? *wide : narrow && *narrow >= 0 ? *narrow : UINT64_MAX;
      if (number == UINT64_MAX || (common && *common != number)) {
        BadInput("io", "{}: '{}' differs from layer to layer, which cannot be imported",
                 file_.path(), key);
      }
      common = number;
    }
    return common;
  }

  const GgufFile& file_;
  std::string prefix_;
};

// The shortest decimal that is this fp32 value: 1e-05, not 9.999999747378752e-06.
double AsWritten(double value) { return std::stod(fmt::format("{}", static_cast<float>(value))); }

// GGUF keeps only the resulting divisors (tensor rope_freqs); this finds the rule behind them.
Json RecoverLlama3Rope(const GgufFile& file, const GgufTensor& tensor, double theta,
                       int64_t dimensions) {
  std::vector<float> divisors(static_cast<size_t>(tensor.elements()));
  Dequantize(tensor.type, tensor.bytes, divisors);
  if (static_cast<int64_t>(divisors.size()) != dimensions / 2) {
    BadInput("io", "{}: tensor 'rope_freqs.weight' has {} elements, expected {}", file.path(),
             divisors.size(), dimensions / 2);
  }
  const double factor = *std::ranges::max_element(divisors);
  for (const double context : {8192.0, 4096.0, 2048.0, 16384.0, 32768.0, 65536.0, 131072.0}) {
    const Llama3Rope rope{factor, 1.0, 4.0, context};
    bool same = std::isfinite(factor) && factor >= 1.0;
    for (size_t i = 0; same && i < divisors.size(); ++i) {
      const double frequency = RopeFrequency(theta, dimensions, static_cast<int64_t>(i));
      const double expected = 1.0 / rope.Multiplier(frequency);
      same = std::fabs(divisors[i] - expected) <= 1e-4 * expected;
    }
    if (same && factor == 1.0) return nullptr;
    if (same) {
      return {{"rope_type", "llama3"},
              {"factor", AsWritten(factor)},
              {"low_freq_factor", 1.0},
              {"high_freq_factor", 4.0},
              {"original_max_position_embeddings", static_cast<int64_t>(context)}};
    }
  }
  BadInput("io", "{}: tensor 'rope_freqs.weight' follows no rule that config.json can express",
           file.path());
}

// The value of "rope_scaling"; null when positions are not scaled.
Json RopeScaling(const GgufFile& file, const Settings& settings, double theta, int64_t dimensions) {
  if (const GgufTensor* tensor = file.FindTensor("rope_freqs.weight")) {
    return RecoverLlama3Rope(file, *tensor, theta, dimensions);
  }
  const std::string type = settings.String("rope.scaling.type").value_or("");
  const double factor = settings.Number("rope.scaling.factor")
                            .value_or(settings.Number("rope.scale_linear").value_or(1.0));
  if (type == "none" || factor == 1.0 || factor == 0.0) return nullptr;
  if (type.empty() || type == "linear") {
    return {{"rope_type", "linear"}, {"factor", AsWritten(factor)}};
  }
  if (type == "yarn") {
    Json scaling{{"rope_type", "yarn"}, {"factor", AsWritten(factor)}};
    if (const auto context = settings.Count("rope.scaling.original_context_length")) {
      scaling["original_max_position_embeddings"] = *context;
    }
    if (const auto temperature = settings.Number("rope.scaling.attn_factor")) {
      // Readers multiply it by what belongs to the factor.
      if (*temperature != 1.0) {
        scaling["attention_factor"] = AsWritten(*temperature * YarnMagnitude(factor));
      }
    }
    return scaling;
  }
  BadInput("io", "{}: the rope scaling '{}' is not known; known are none, linear, yarn, llama3",
           file.path(), Printable(type));
}

bool Has(const GgufFile& file, std::string_view name) { return file.FindTensor(name) != nullptr; }

// Biases are all or none in config.json; what is stored must fit that.
bool LlamaHasBias(const GgufFile& file, std::initializer_list<std::string_view> parts) {
  size_t present = 0;
  for (const std::string_view part : parts)
    present += Has(file, fmt::format("blk.0.{}.bias", part));
  if (present != 0 && present != parts.size()) {
    BadInput("io", "{}: only {} of {} layers have a bias, which config.json cannot express",
             file.path(), present, fmt::join(parts, ", "));
  }
  return present != 0;
}

void AddTokenIds(const GgufFile& file, Json& config) {
  for (const auto& [key, name] : {std::pair{"bos_token_id", "tokenizer.ggml.bos_token_id"},
                                  std::pair{"eos_token_id", "tokenizer.ggml.eos_token_id"},
                                  std::pair{"pad_token_id", "tokenizer.ggml.padding_token_id"}}) {
    if (const auto id = file.Unsigned(name)) config[key] = *id;
  }
}

}  // namespace

const GgufArchitecture& FindGgufArchitecture(const GgufFile& file) {
  const std::optional<std::string> name = file.String("general.architecture");
  if (!name) BadInput("io", "{}: has no 'general.architecture'", file.path());
  std::string known;
  for (const GgufArchitecture& architecture : kArchitectures) {
    if (architecture.name == *name) return architecture;
    known += (known.empty() ? "" : ", ") + std::string(architecture.name);
  }
  BadInput("io", "{}: the architecture '{}' is not known; known are {}", file.path(),
           Printable(*name), known);
}

Json MakeGgufConfig(const GgufFile& file, const GgufArchitecture& architecture) {
  const Settings settings(file, architecture.name);
  if (settings.Count("expert_count").value_or(0) > 0) {
    BadInput("io", "{}: is a mixture of experts, which cannot be imported", file.path());
  }
  const GgufTensor* embedding = file.FindTensor("token_embd.weight");
  if (!embedding || embedding->shape.size() != 2) {
    BadInput("io", "{}: has no matrix 'token_embd.weight'", file.path());
  }
  const uint64_t hidden = settings.NeedCount("embedding_length");
  const uint64_t heads = settings.NeedCount("attention.head_count");
  const uint64_t kv_heads = settings.Count("attention.head_count_kv").value_or(heads);
  const std::optional<uint64_t> key_length = settings.Count("attention.key_length");
  if (kv_heads == 0 || heads % kv_heads != 0 || (!key_length && hidden % heads != 0)) {
    BadInput("io", "{}: {} heads and {} key-value heads do not fit a width of {}", file.path(),
             heads, kv_heads, hidden);
  }
  const uint64_t head_dim = key_length.value_or(hidden / heads);
  const uint64_t rotary = settings.Count("rope.dimension_count").value_or(head_dim);
  if (head_dim == 0 || head_dim % 2 != 0 || rotary != head_dim ||
      settings.Count("attention.value_length").value_or(head_dim) != head_dim) {
    BadInput("io", "{}: heads of {} with {} rotary dimensions cannot be imported", file.path(),
             head_dim, rotary);
  }
  const double epsilon = settings.Number("attention.layer_norm_rms_epsilon").value_or(1e-5);
  const double theta = settings.Number("rope.freq_base").value_or(10000.0);
  const std::optional<uint64_t> window = settings.Count("attention.sliding_window");
  const bool is_llama = architecture.name == "llama";
  const bool windowed = is_llama && window.value_or(0) > 0;

  Json config;
  config["architectures"] =
      Json::array({windowed ? std::string_view("MistralForCausalLM") : architecture.class_name});
  config["model_type"] = windowed ? std::string_view("mistral") : architecture.model_type;
  config["hidden_size"] = hidden;
  config["intermediate_size"] = settings.NeedCount("feed_forward_length");
  config["num_hidden_layers"] = settings.NeedCount("block_count");
  config["num_attention_heads"] = heads;
  config["num_key_value_heads"] = kv_heads;
  config["head_dim"] = head_dim;
  config["vocab_size"] = embedding->shape[0];
  config["max_position_embeddings"] = settings.NeedCount("context_length");
  config["rms_norm_eps"] = AsWritten(epsilon);
  config["rope_theta"] = AsWritten(theta);
  config["rope_scaling"] = RopeScaling(file, settings, theta, static_cast<int64_t>(head_dim));
  config["hidden_act"] = "silu";
  config["tie_word_embeddings"] = !Has(file, "output.weight");
  if (windowed) config["sliding_window"] = *window;
  if (is_llama) {
    const bool attention = LlamaHasBias(file, {"attn_q", "attn_k", "attn_v", "attn_output"});
    const bool mlp = LlamaHasBias(file, {"ffn_gate", "ffn_up", "ffn_down"});
    if (windowed && (attention || mlp)) {
      BadInput("io", "{}: biases together with a sliding window cannot be imported", file.path());
    }
    config["attention_bias"] = attention;
    config["mlp_bias"] = mlp;
  } else if (architecture.name == "smollm3") {
    config["no_rope_layer_interval"] = 4;  // what readers take for granted
  }
  AddTokenIds(file, config);
  return config;
}

std::string CheckpointTensorName(std::string_view name, const GgufFile& file) {
  if (name == "token_embd.weight") return "model.embed_tokens.weight";
  if (name == "output_norm.weight") return "model.norm.weight";
  if (name == "output.weight") return "lm_head.weight";
  if (name == "rope_freqs.weight") return "";
  // blk.LAYER.PART.weight
  if (name.starts_with("blk.")) {
    const std::string_view rest = name.substr(4);
    const size_t dot = rest.find('.');
    const size_t last = rest.rfind('.');
    const std::string_view layer = rest.substr(0, dot);
    const bool is_number = !layer.empty() && layer.size() < 7 &&
                           std::ranges::all_of(layer, [](char c) { return c >= '0' && c <= '9'; });
    if (is_number && dot != std::string_view::npos && last > dot) {
      const std::string_view part = rest.substr(dot + 1, last - dot - 1);
      const std::string_view kind = rest.substr(last + 1);
      for (const auto& [gguf, checkpoint] : kParts) {
        if (part == gguf && (kind == "weight" || kind == "bias")) {
          return fmt::format("model.layers.{}.{}.{}", layer, checkpoint, kind);
        }
      }
    }
  }
  BadInput("io", "{}: the tensor '{}' has no place in a model of this architecture", file.path(),
           Printable(name));
}

}  // namespace grin
