#include "grin/model/config.h"

#include "grin/base/error.h"
#include "grin/model/family.h"

namespace grin {
namespace {

// A positive whole number of config.json; `fallback` where the key is absent or null.
int64_t Count(const Json& config, const char* key, std::string_view where,
              std::optional<int64_t> fallback = std::nullopt) {
  const auto found = config.find(key);
  if (found == config.end() || found->is_null()) {
    if (fallback) return *fallback;
    BadInput("model", "{}: '{}' is missing", where, key);
  }
  if (!found->is_number_integer() || found->get<int64_t>() <= 0 ||
      found->get<int64_t>() > int64_t{1} << 31) {
    BadInput("model", "{}: '{}' is {}; it must be a positive whole number", where, key,
             found->dump());
  }
  return found->get<int64_t>();
}

double Real(const Json& config, const char* key, std::string_view where, double fallback) {
  const auto found = config.find(key);
  if (found == config.end() || found->is_null()) return fallback;
  if (!found->is_number() || !(found->get<double>() > 0)) {
    BadInput("model", "{}: '{}' is {}; it must be a positive number", where, key, found->dump());
  }
  return found->get<double>();
}

bool Flag(const Json& config, const char* key, std::string_view where, bool fallback) {
  const auto found = config.find(key);
  if (found == config.end() || found->is_null()) return fallback;
  if (!found->is_boolean()) {
    BadInput("model", "{}: '{}' is {}; it must be true or false", where, key, found->dump());
  }
  return found->get<bool>();
}

std::string Text(const Json& config, const char* key, std::string_view where,
                 std::string_view fallback) {
  const auto found = config.find(key);
  if (found == config.end() || found->is_null()) return std::string(fallback);
  if (!found->is_string()) {
    BadInput("model", "{}: '{}' is {}; it must be a string", where, key, found->dump());
  }
  return found->get<std::string>();
}

Activation ParseActivation(const std::string& name, std::string_view where) {
  if (name == "silu" || name == "swish") return Activation::kSilu;
  if (name == "gelu") return Activation::kGelu;
  if (name == "gelu_new" || name == "gelu_pytorch_tanh" || name == "gelu_fast") {
    return Activation::kGeluTanh;
  }
  if (name == "relu") return Activation::kRelu;
  BadInput("model", "{}: hidden_act '{}' is not supported; the known ones are silu, gelu, gelu_new, "
           "gelu_pytorch_tanh, relu", where, name);
}

// Rotary settings stand at the top level and in rope_scaling (transformers 4) or together in
// rope_parameters (transformers 5).
void ReadRope(const Json& config, std::string_view where, ModelConfig& model) {
  model.rope_theta = Real(config, "rope_theta", where, 10000.0);
  const Json* scaling = nullptr;
  for (const char* key : {"rope_scaling", "rope_parameters"}) {
    const auto found = config.find(key);
    if (found == config.end() || found->is_null()) continue;
    if (!found->is_object()) BadInput("model", "{}: '{}' must be an object", where, key);
    scaling = &*found;
    model.rope_theta = Real(*scaling, "rope_theta", where, model.rope_theta);
  }
  if (!scaling) return;
  const std::string type =
      Text(*scaling, "rope_type", where, Text(*scaling, "type", where, "default"));
  RopeScaling& rope = model.rope_scaling;
  // "dynamic" differs from the plain form only beyond the context, where sequences are cut.
  if (type == "default" || type == "dynamic") return;
  if (type == "linear") {
    rope.kind = RopeScaling::Kind::kLinear;
  } else if (type == "llama3") {
    rope.kind = RopeScaling::Kind::kLlama3;
    rope.low_frequency_factor = Real(*scaling, "low_freq_factor", where, 1.0);
    rope.high_frequency_factor = Real(*scaling, "high_freq_factor", where, 4.0);
    rope.original_context = Count(*scaling, "original_max_position_embeddings", where, 8192);
    if (rope.high_frequency_factor <= rope.low_frequency_factor) {
      BadInput("model", "{}: high_freq_factor must be above low_freq_factor", where);
    }
  } else {
    BadInput("model", "{}: rope scaling '{}' is not supported; the known ones are default, dynamic, "
             "linear, llama3", where, type);
  }
  rope.factor = Real(*scaling, "factor", where, 1.0);
}

std::vector<int32_t> ReadEndTokens(const Json& config, std::string_view where) {
  const auto found = config.find("eos_token_id");
  if (found == config.end() || found->is_null()) return {};
  const Json list = found->is_array() ? *found : Json::array({*found});
  std::vector<int32_t> tokens;
  for (const Json& token : list) {
    if (!token.is_number_integer()) {
      BadInput("model", "{}: 'eos_token_id' is {}; it must hold token ids", where, found->dump());
    }
    tokens.push_back(token.get<int32_t>());
  }
  return tokens;
}

void RefuseQuantised(const Json& config, std::string_view where) {
  const auto found = config.find("quantization_config");
  if (found == config.end() || found->is_null()) return;
  BadInput("model", "{}: the checkpoint is quantised ({}); unlearning needs its float weights",
           where, found->is_object() ? found->value("quant_method", "unknown method") : "");
}

}  // namespace

ModelConfig ParseModelConfig(const Json& config, std::string_view where) {
  if (!config.is_object()) BadInput("model", "{}: is not a JSON object", where);
  const std::string model_type = Text(config, "model_type", where, "");
  if (model_type.empty()) {
    BadInput("model", "{}: 'model_type' is missing; this is not a transformers checkpoint", where);
  }
  const Family& family = FamilyOf(model_type, where);
  RefuseQuantised(config, where);
  ModelConfig model;
  model.family = family.name;
  model.layers = Count(config, "num_hidden_layers", where);
  model.hidden = Count(config, "hidden_size", where);
  model.intermediate = Count(config, "intermediate_size", where);
  model.heads = Count(config, "num_attention_heads", where);
  model.kv_heads = Count(config, "num_key_value_heads", where, model.heads);
  model.head_dim = Count(config, "head_dim", where, model.hidden / model.heads);
  model.vocabulary = Count(config, "vocab_size", where);
  model.context = Count(config, "max_position_embeddings", where);
  model.norm_epsilon = Real(config, "rms_norm_eps", where, 1e-6);
  model.activation = ParseActivation(Text(config, "hidden_act", where, "silu"), where);
  model.attention_bias = Flag(config, "attention_bias", where, false);
  model.mlp_bias = Flag(config, "mlp_bias", where, false);
  model.tied_embeddings = Flag(config, "tie_word_embeddings", where, false);
  model.end_tokens = ReadEndTokens(config, where);
  ReadRope(config, where, model);
  if (model.heads % model.kv_heads != 0) {
    BadInput("model", "{}: {} attention heads cannot share {} key-value heads evenly", where,
             model.heads, model.kv_heads);
  }
  if (model.head_dim % 2 != 0) {
    BadInput("model", "{}: head_dim {} is odd; rotary positions need pairs", where, model.head_dim);
  }
  family.configure(config, where, model);
  return model;
}

}  // namespace grin
