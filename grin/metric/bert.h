#pragma once
// BERT (Devlin et al. 2018) with a classification head: reads a whole text at once and gives one
// number per label.

#include <ATen/ATen.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "grin/base/json.h"
#include "grin/io/checkpoint.h"

namespace grin {

// What config.json says.
struct BertConfig {
  int64_t layers = 12;
  int64_t hidden = 768;
  int64_t intermediate = 3072;
  int64_t heads = 12;
  int64_t vocabulary = 30522;
  int64_t context = 512;  // longest text in tokens
  int64_t token_types = 2;
  double norm_epsilon = 1e-12;
  at::Tensor (*activation)(const at::Tensor&) = nullptr;

  std::vector<std::string> labels;  // by id
  enum class Scores { kSoftmax, kSigmoid } scores = Scores::kSoftmax;
};

// Reads config.json; `where` names the file in errors. Error (bad input) when it is not of a
// BertForSequenceClassification, or asks for what is not supported (each named).
BertConfig ParseBertConfig(const Json& config, std::string_view where);

// Computes in fp32 whatever the stored type. Immutable; copies share the weights.
class BertClassifier {
 public:
  // Error (bad input) on a config that ParseBertConfig refuses, a missing tensor or a wrong shape.
  explicit BertClassifier(const std::shared_ptr<const Checkpoint>& checkpoint,
                          at::Device device = at::kCPU);

  // Texts as token ids, each of 1 to config().context tokens -> fp32 [texts, labels], before
  // softmax or sigmoid. Texts are laid end to end with no padding, so that a text's logits do not
  // depend on its neighbours. Give neighbours of equal length for speed.
  at::Tensor Logits(const std::vector<std::vector<int32_t>>& texts) const;

  // softmax or sigmoid of the logits, as the config has it.
  at::Tensor Probabilities(const at::Tensor& logits) const;

  const BertConfig& config() const { return config_; }

 private:
  struct Affine {
    at::Tensor weight, bias;
  };
  struct Layer {
    Affine query, key, value, attention_output, attention_norm, intermediate, output, output_norm;
  };
  at::Tensor Norm(const at::Tensor& x, const Affine& norm) const;
  at::Tensor Block(const Layer& layer, const at::Tensor& x,
                   const std::vector<int64_t>& offsets) const;

  BertConfig config_;
  at::Device device_;
  at::Tensor words_, positions_, token_type_;  // [V, d], [context, d], [d] (of type 0)
  Affine embedding_norm_, pooler_, classifier_;
  std::vector<Layer> layers_;
};

}  // namespace grin
