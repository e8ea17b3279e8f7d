#include "grin/model/config.h"

#include <cmath>

#include "grin/base/error.h"
#include "grin/base/json_fields.h"
#include "grin/io/checkpoint.h"
#include "grin/model/family.h"

namespace grin {
namespace {

constexpr int64_t kMostLayers = 10000;

// A negative id counts from the end, as in PyTorch; one outside of the vocabulary names no row.
std::optional<int64_t> ReadPaddingToken(const JsonFields& config, int64_t vocabulary) {
  const Json* found = config.Find("pad_token_id");
  if (!found || !found->is_number_integer()) return std::nullopt;
  const auto id = found->get<int64_t>();
  if (id >= vocabulary || id < -vocabulary) return std::nullopt;
  return id < 0 ? id + vocabulary : id;
}

}  // namespace

ModelConfig ParseModelConfig(const Json& json, std::string_view where) {
  if (!json.is_object()) BadInput("model", "{}: is not a JSON object", where);
  const JsonFields config(json, std::string(where));
  const Family& family = FamilyOf(config);
  RefuseQuantized(json, std::string(where));
  const ConfigKeys& keys = family.keys;
  ModelConfig model;
  model.family = family.name;
  model.layers = config.Count(keys.layers);
  model.hidden = config.Count(keys.hidden);
  const int64_t usual = family.intermediate_per_hidden * model.hidden;
  model.intermediate =
      config.Count(keys.intermediate, usual > 0 ? std::optional(usual) : std::nullopt);
  model.heads = config.Count(keys.heads);
  model.kv_heads = config.Count(keys.kv_heads, model.heads);
  model.head_dim =
      config.Count("head_dim", family.head_dim > 0 ? family.head_dim : model.hidden / model.heads);
  model.vocabulary = config.Count("vocab_size");
  model.context = config.Count(keys.context);
  model.activation = ReadActivation(config, keys.activation, family.activation);
  model.tied_embeddings = config.Bool("tie_word_embeddings", family.tied_embeddings);
  model.embedding_width = model.hidden;
  model.end_tokens = config.TokenIds("eos_token_id");
  model.padding_token = ReadPaddingToken(config, model.vocabulary);
  if (model.layers > kMostLayers) {
    BadInput("model", "{}: '{}' is {}; no model has more than {} layers", where, keys.layers,
             model.layers, kMostLayers);
  }
  if (model.head_dim == 0) {
    BadInput("model", "{}: a width of {} cannot be shared by {} heads", where, model.hidden,
             model.heads);
  }
  if (model.heads % model.kv_heads != 0) {
    BadInput("model", "{}: {} attention heads cannot share {} key-value heads evenly", where,
             model.heads, model.kv_heads);
  }
  const AttentionSpec attention{.scale = 1.0 / std::sqrt(static_cast<double>(model.head_dim))};
  model.layer.assign(static_cast<size_t>(model.layers), {.attention = attention});
  family.configure(config, model);
  return model;
}

}  // namespace grin
