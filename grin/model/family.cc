#include "grin/model/family.h"

#include <algorithm>
#include <vector>

#include "grin/base/error.h"

namespace grin {
namespace {

// Checkpoints of other kinds that people try, by their model_type.
struct OtherKind {
  std::string_view what;
  std::vector<std::string_view> model_types;
};

const std::vector<OtherKind>& OtherKinds() {
  static const std::vector<OtherKind> kinds = {
      {"an encoder, which continues no text",
       {"albert", "bert", "camembert", "clip", "deberta", "deberta-v2", "distilbert", "electra",
        "layoutlm", "longformer", "modernbert", "mpnet", "nomic_bert", "roberta", "siglip", "vit",
        "wav2vec2", "xlm-roberta"}},
      {"an encoder-decoder", {"bart", "marian", "mbart", "mt5", "pegasus", "t5", "whisper"}},
      {"a mixture of experts",
       {"dbrx", "deepseek_v2", "deepseek_v3", "gpt_oss", "granitemoe", "mixtral", "olmoe", "phimoe",
        "qwen2_moe", "qwen3_moe"}},
      {"a model of text and images",
       {"gemma3", "idefics3", "llama4", "llava", "mllama", "paligemma", "qwen2_5_vl", "qwen2_vl",
        "smolvlm"}},
      {"a state-space model", {"mamba", "mamba2", "rwkv"}}};
  return kinds;
}

void RefuseOtherKinds(const JsonFields& config, std::string_view model_type) {
  for (const char* key :
       {"num_local_experts", "num_experts", "n_routed_experts", "moe_num_experts"}) {
    if (const Json* experts = config.Find(key); experts && *experts > 1) {
      BadInput("model",
               "{}: model_type '{}' is a mixture of experts ({} is {}), which is not "
               "supported",
               config.where(), model_type, key, experts->dump());
    }
  }
  if (config.Bool("is_encoder_decoder", false)) {
    BadInput("model", "{}: model_type '{}' is an encoder-decoder, which is not supported",
             config.where(), model_type);
  }
  for (const OtherKind& kind : OtherKinds()) {
    if (std::ranges::count(kind.model_types, model_type) == 0) continue;
    BadInput("model", "{}: model_type '{}' is {}; only decoders are supported", config.where(),
             model_type, kind.what);
  }
  const Json* classes = config.Find("architectures");
  if (!classes || !classes->is_array() || classes->empty() || !classes->front().is_string()) return;
  const auto name = classes->front().get<std::string>();
  for (const std::string_view task : {"Classification", "QuestionAnswering", "MaskedLM"}) {
    if (name.ends_with(task)) {
      BadInput("model", "{}: the checkpoint is a {}; it has no head that predicts the next token",
               config.where(), name);
    }
  }
}

}  // namespace

const Family& FamilyOf(const JsonFields& config) {
  const std::string model_type = config.String("model_type", "");
  if (model_type.empty()) {
    BadInput("model", "{}: 'model_type' is missing; this is not a transformers checkpoint",
             config.where());
  }
  RefuseOtherKinds(config, model_type);
  std::vector<std::string_view> known;
  for (const Family& family : Families()) {
    for (const std::string_view type : family.model_types) {
      if (type == model_type) return family;
      known.push_back(type);
    }
  }
  std::ranges::sort(known);
  BadInput("model", "{}: model_type '{}' is not supported; the known ones are {}", config.where(),
           model_type, fmt::join(known, ", "));
}

std::optional<Activation> FindActivation(std::string_view name) {
  if (name == "silu" || name == "swish") return Activation::kSilu;
  if (name == "gelu") return Activation::kGelu;
  if (name == "gelu_new" || name == "gelu_pytorch_tanh" || name == "gelu_fast") {
    return Activation::kGeluTanh;
  }
  if (name == "relu") return Activation::kRelu;
  return std::nullopt;
}

Activation ReadActivation(const JsonFields& config, const char* key, std::string_view fallback) {
  const std::string name = config.String(key, fallback);
  if (const auto activation = FindActivation(name)) return *activation;
  BadInput("model",
           "{}: {} '{}' is not supported; the known ones are silu, gelu, gelu_new, "
           "gelu_pytorch_tanh, relu",
           config.where(), key, name);
}

void ConfigureAsLlama(const JsonFields& config, ModelConfig& model, const RopeDefaults& rope) {
  model.names = LlamaNames();
  model.norm.epsilon = config.Real("rms_norm_eps", 1e-6);
  ReadRope(config, model, rope);
}

void ReadWindows(const JsonFields& config, ModelConfig& model, std::optional<int64_t> absent,
                 const std::function<bool(int64_t layer)>& otherwise) {
  std::optional<int64_t> window = absent;
  if (config.Find("sliding_window"))
    window = config.Count("sliding_window");
  else if (config.Has("sliding_window"))
    window.reset();
  const Json* types = config.Find("layer_types");
  if (types && (!types->is_array() || static_cast<int64_t>(types->size()) < model.layers)) {
    BadInput("model", "{}: 'layer_types' must list the {} layers", config.where(), model.layers);
  }
  for (int64_t i = 0; i < model.layers; ++i) {
    bool sliding = otherwise(i);
    if (types) {
      const Json& type = (*types)[static_cast<size_t>(i)];
      if (type != "sliding_attention" && type != "full_attention") {
        BadInput("model",
                 "{}: 'layer_types' holds {}; the known ones are full_attention, "
                 "sliding_attention",
                 config.where(), type.dump());
      }
      sliding = type == "sliding_attention";
    }
    if (sliding) model.layer[static_cast<size_t>(i)].attention.window = window;
  }
}

}  // namespace grin
