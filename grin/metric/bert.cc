#include "grin/metric/bert.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "grin/base/error.h"
#include "grin/base/json_fields.h"
#include "grin/base/log.h"
#include "grin/model/device.h"
#include "grin/model/weights.h"

namespace grin {
namespace {

constexpr std::string_view kArchitecture = "BertForSequenceClassification";

using BertActivation = at::Tensor (*)(const at::Tensor&);

at::Tensor Gelu(const at::Tensor& x) { return at::gelu(x); }
at::Tensor GeluTanh(const at::Tensor& x) { return at::gelu(x, "tanh"); }
at::Tensor QuickGelu(const at::Tensor& x) { return x * at::sigmoid(1.702 * x); }

// hidden_act, as transformers names them.
struct ActivationName {
  std::string_view name;
  BertActivation function;
};
constexpr std::array kActivations = {ActivationName{"gelu", Gelu},
                                     ActivationName{"gelu_python", Gelu},
                                     ActivationName{"gelu_new", GeluTanh},
                                     ActivationName{"gelu_fast", GeluTanh},
                                     ActivationName{"gelu_accurate", GeluTanh},
                                     ActivationName{"gelu_pytorch_tanh", GeluTanh},
                                     ActivationName{"gelu_python_tanh", GeluTanh},
                                     ActivationName{"quick_gelu", QuickGelu},
                                     ActivationName{"relu", at::relu},
                                     ActivationName{"silu", at::silu},
                                     ActivationName{"swish", at::silu},
                                     ActivationName{"tanh", at::tanh}};

BertActivation ActivationOf(const JsonFields& config) {
  const std::string name = config.String("hidden_act", "gelu");
  std::string known;
  for (const auto& row : kActivations) {
    if (row.name == name) return row.function;
    known += (known.empty() ? "" : ", ") + std::string(row.name);
  }
  BadInput("model", "{} is '{}', which is not supported; known are {}",
           config.WhereOf("hidden_act"), name, known);
}

// Refuses what is no BERT, or a BERT without its classification head.
void CheckArchitecture(const JsonFields& config) {
  const std::string type = config.String("model_type", "");
  std::string architecture;
  if (config.Find("architectures") != nullptr) {
    const Json& list = config.Array("architectures");
    if (!list.empty() && list[0].is_string()) architecture = list[0].get<std::string>();
  }
  if (type == "bert" && architecture == kArchitecture) return;
  BadInput("model",
           "{}: the model is a {} (model_type '{}'), which is no classifier that is supported; "
           "expected a {}",
           config.where(), architecture.empty() ? "model of no named architecture" : architecture,
           type, kArchitecture);
}

// id2label {"0": "toxic", ...}; without it transformers has two labels.
std::vector<std::string> ReadLabels(const JsonFields& config) {
  if (config.Find("id2label") == nullptr) {
    const int64_t count = config.Count("num_labels", 2);
    std::vector<std::string> labels;
    for (int64_t id = 0; id < count; ++id) labels.push_back(fmt::format("LABEL_{}", id));
    return labels;
  }
  const JsonFields names(config.Get("id2label"), config.WhereOf("id2label"));
  std::vector<std::string> labels(config.Get("id2label").size());
  for (size_t id = 0; id < labels.size(); ++id) labels[id] = names.String(std::to_string(id));
  if (labels.empty()) BadInput("model", "{} has no labels", names.where());
  return labels;
}

BertConfig::Scores ReadScores(const JsonFields& config, size_t labels) {
  const std::string type = config.String("problem_type", "");
  if (type == "multi_label_classification") return BertConfig::Scores::kSigmoid;
  if (type == "single_label_classification") return BertConfig::Scores::kSoftmax;
  if (!type.empty()) {
    BadInput("model",
             "{} is '{}'; expected single_label_classification or multi_label_classification",
             config.WhereOf("problem_type"), type);
  }
  if (labels == 1) return BertConfig::Scores::kSigmoid;
  if (labels > 2) {
    Warn("{}: has no problem_type; its {} labels are taken to exclude each other (softmax)",
         config.where(), labels);
  }
  return BertConfig::Scores::kSoftmax;
}

}  // namespace

BertConfig ParseBertConfig(const Json& config, std::string_view where) {
  const JsonFields fields(config, std::string(where));
  CheckArchitecture(fields);
  const std::string positions = fields.String("position_embedding_type", "absolute");
  if (positions != "absolute") {
    BadInput("model", "{} is '{}', which is not supported; expected absolute",
             fields.WhereOf("position_embedding_type"), positions);
  }
  if (fields.Bool("is_decoder", false)) {
    BadInput("model", "{} is true; a classifier reads both ways", fields.WhereOf("is_decoder"));
  }
  BertConfig bert;
  bert.layers = fields.Count("num_hidden_layers", bert.layers);
  bert.hidden = fields.Count("hidden_size", bert.hidden);
  bert.intermediate = fields.Count("intermediate_size", bert.intermediate);
  bert.heads = fields.Count("num_attention_heads", bert.heads);
  bert.vocabulary = fields.Count("vocab_size", bert.vocabulary);
  bert.context = fields.Count("max_position_embeddings", bert.context);
  bert.token_types = fields.Count("type_vocab_size", bert.token_types);
  if (bert.hidden % bert.heads != 0) {
    BadInput("model", "{}: {} attention heads cannot share a hidden size of {} evenly", where,
             bert.heads, bert.hidden);
  }
  if (const Json* epsilon = fields.Find("layer_norm_eps"); epsilon != nullptr) {
    if (!epsilon->is_number() || !(epsilon->get<double>() >= 0)) {
      BadInput("model", "{} is {}; it must be a number and not negative",
               fields.WhereOf("layer_norm_eps"), DescribeJson(*epsilon));
    }
    bert.norm_epsilon = epsilon->get<double>();
  }
  bert.activation = ActivationOf(fields);
  bert.labels = ReadLabels(fields);
  bert.scores = ReadScores(fields, bert.labels.size());
  return bert;
}

BertClassifier::BertClassifier(const std::shared_ptr<const Checkpoint>& checkpoint,
                               at::Device device)
    : config_(ParseBertConfig(checkpoint->config(), checkpoint->path().string() + "/config.json")),
      device_(device) {
  Weights weights(checkpoint, at::kFloat, device);
  const int64_t d = config_.hidden, inner = config_.intermediate;
  const auto affine = [&](const std::string& name, at::IntArrayRef shape) {
    return Affine{weights.Get(name + ".weight", shape).value,
                  weights.Get(name + ".bias", {shape[0]}).value};
  };
  const auto norm = [&](const std::string& name) {
    // As files converted from the first release call them.
    if (weights.Has(name + ".gamma")) {
      return Affine{weights.Get(name + ".gamma", {d}).value,
                    weights.Get(name + ".beta", {d}).value};
    }
    return affine(name, {d});
  };
  const std::string embeddings = "bert.embeddings.";
  words_ = weights.Get(embeddings + "word_embeddings.weight", {config_.vocabulary, d}).value;
  positions_ = weights.Get(embeddings + "position_embeddings.weight", {config_.context, d}).value;
  token_type_ =
      weights.Get(embeddings + "token_type_embeddings.weight", {config_.token_types, d}).value[0];
  embedding_norm_ = norm(embeddings + "LayerNorm");
  for (int64_t i = 0; i < config_.layers; ++i) {
    const std::string prefix = fmt::format("bert.encoder.layer.{}.", i);
    layers_.push_back({.query = affine(prefix + "attention.self.query", {d, d}),
                       .key = affine(prefix + "attention.self.key", {d, d}),
                       .value = affine(prefix + "attention.self.value", {d, d}),
                       .attention_output = affine(prefix + "attention.output.dense", {d, d}),
                       .attention_norm = norm(prefix + "attention.output.LayerNorm"),
                       .intermediate = affine(prefix + "intermediate.dense", {inner, d}),
                       .output = affine(prefix + "output.dense", {d, inner}),
                       .output_norm = norm(prefix + "output.LayerNorm")});
  }
  pooler_ = affine("bert.pooler.dense", {d, d});
  classifier_ = affine("classifier", {static_cast<int64_t>(config_.labels.size()), d});
}

at::Tensor BertClassifier::Norm(const at::Tensor& x, const Affine& norm) const {
  return at::layer_norm(x, {config_.hidden}, norm.weight, norm.bias, config_.norm_epsilon);
}

// x [T, d] -> [T, d]; text s is rows offsets[s] .. offsets[s + 1].
at::Tensor BertClassifier::Block(const Layer& layer, const at::Tensor& x,
                                 const std::vector<int64_t>& offsets) const {
  const at::Tensor q = at::linear(x, layer.query.weight, layer.query.bias);
  const at::Tensor k = at::linear(x, layer.key.weight, layer.key.bias);
  const at::Tensor v = at::linear(x, layer.value.weight, layer.value.bias);
  std::vector<at::Tensor> mixed;
  for (size_t first = 0, next; first + 1 < offsets.size(); first = next) {
    // Neighbours of equal length go through the kernel together.
    const int64_t length = offsets[first + 1] - offsets[first];
    for (next = first + 1; next + 1 < offsets.size(); ++next) {
      if (offsets[next + 1] - offsets[next] != length) break;
    }
    const auto count = static_cast<int64_t>(next - first);
    const auto heads = [&](const at::Tensor& rows) {  // [count, heads, length, d / heads]
      return rows.narrow(0, offsets[first], count * length)
          .view({count, length, config_.heads, -1})
          .transpose(1, 2);
    };
    mixed.push_back(at::scaled_dot_product_attention(heads(q), heads(k), heads(v))
                        .transpose(1, 2)
                        .reshape({count * length, config_.hidden}));
  }
  const at::Tensor attended = Norm(
      x + at::linear(at::cat(mixed), layer.attention_output.weight, layer.attention_output.bias),
      layer.attention_norm);
  const at::Tensor inner =
      config_.activation(at::linear(attended, layer.intermediate.weight, layer.intermediate.bias));
  return Norm(attended + at::linear(inner, layer.output.weight, layer.output.bias),
              layer.output_norm);
}

at::Tensor BertClassifier::Logits(const std::vector<std::vector<int32_t>>& texts) const {
  const at::NoGradGuard no_grad;
  const auto labels = static_cast<int64_t>(config_.labels.size());
  if (texts.empty()) return at::empty({0, labels}, at::TensorOptions(at::kFloat).device(device_));
  std::vector<int64_t> tokens, positions, offsets = {0};
  for (const std::vector<int32_t>& text : texts) {
    const auto length = static_cast<int64_t>(text.size());
    if (length < 1 || length > config_.context) {
      Defect("model", "a text of {} tokens for a classifier of 1 to {}", length, config_.context);
    }
    for (int64_t i = 0; i < length; ++i) {
      if (text[i] < 0 || text[i] >= config_.vocabulary) {
        BadInput("model", "token {} is outside of the classifier's vocabulary of {}", text[i],
                 config_.vocabulary);
      }
      tokens.push_back(text[i]);
      positions.push_back(i);
    }
    offsets.push_back(static_cast<int64_t>(tokens.size()));
  }
  const auto indices = [&](at::ArrayRef<int64_t> values) { return UploadIndices(values, device_); };
  at::Tensor x = Norm(at::embedding(words_, indices(tokens)) +
                          at::embedding(positions_, indices(positions)) + token_type_,
                      embedding_norm_);
  for (const Layer& layer : layers_) x = Block(layer, x, offsets);
  offsets.pop_back();
  const at::Tensor first = x.index_select(0, indices(offsets));  // [S, d], at [CLS]
  const at::Tensor pooled = at::tanh(at::linear(first, pooler_.weight, pooler_.bias));
  return at::linear(pooled, classifier_.weight, classifier_.bias);
}

at::Tensor BertClassifier::Probabilities(const at::Tensor& logits) const {
  return config_.scores == BertConfig::Scores::kSigmoid ? at::sigmoid(logits)
                                                        : at::softmax(logits, -1);
}

}  // namespace grin
