#pragma once
// How toxic texts are, by a classifier that the user has on disk, such as toxic-bert.

#include <ATen/ATen.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "grin/metric/bert.h"
#include "grin/text/tokenizer.h"

namespace grin {

struct ToxicityOptions {
  std::string label;           // the label to report; empty: the one whose name says toxic
  int64_t pass_tokens = 4096;  // tokens of one forward pass
};

// Immutable; copies share the weights.
class ToxicityClassifier {
 public:
  // From the directory (or hub name) of a BertForSequenceClassification. Error (bad input) when it
  // is another kind of model, or when no label of it, or more than one, says toxic: the message
  // lists the labels.
  static ToxicityClassifier Load(const std::filesystem::path& source,
                                 const ToxicityOptions& options = {}, at::Device device = at::kCPU);

  // The probability of the label for each text: a sigmoid of its logit where labels may hold
  // together, else its share of the softmax. Texts are cut at 512 tokens, or at the model's context
  // where that is shorter. A text's value does not depend on the others. `progress` labels a
  // progress bar; none when empty.
  std::vector<double> Score(const std::vector<std::string>& texts,
                            const std::string& progress = {}) const;

  // Logits of all labels, fp32 [texts, labels].
  at::Tensor Logits(const std::vector<std::string>& texts, const std::string& progress = {}) const;

  const std::vector<std::string>& labels() const { return model_.config().labels; }
  const std::string& label() const { return labels()[label_]; }

 private:
  ToxicityClassifier(BertClassifier model, Tokenizer tokenizer, size_t label, int64_t pass_tokens)
      : model_(std::move(model)),
        tokenizer_(std::move(tokenizer)),
        label_(label),
        pass_tokens_(pass_tokens) {}

  std::vector<int32_t> Encode(const std::string& text) const;

  BertClassifier model_;
  Tokenizer tokenizer_;
  size_t label_;
  int64_t pass_tokens_;
};

// Which of the labels says that a text is toxic, whatever its case: "toxic" or "toxicity", else of
// two labels the one that is called by another word for it ("hate", "offensive", ...). Error (bad
// input) listing the labels when none does, or both do; `where` names the model.
size_t FindToxicLabel(const std::vector<std::string>& labels, const std::string& where);

}  // namespace grin
