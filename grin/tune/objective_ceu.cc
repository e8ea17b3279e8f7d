// CE-U (Yang 2025, arXiv 2503.01224): cross-entropy of the model's own distribution without the
// true token. No gradient goes through that target. By itself, and without an answer's first token,
// which a model that is to stay fluent needs (the paper's training settings).

#include <limits>

#include "grin/tune/objective.h"
#include "grin/tune/on_logits.h"

namespace grin {
namespace {

constexpr ObjectiveParameter kCrossEntropyUnlearningParameters[] = {
    {"skip-tokens", 1, "so many first tokens of each answer are left alone"}};

at::Tensor CrossEntropyUnlearningLoss(RowValues& rows, const ObjectiveSettings&) {
  at::Tensor target =
      rows.values.scatter(1, rows.tokens.unsqueeze(1), -std::numeric_limits<double>::infinity());
  ToLogProbabilities(target);
  return CrossEntropyOfRows(rows.values, target.exp_());
}

}  // namespace

extern const Objective kCrossEntropyUnlearning;
const Objective kCrossEntropyUnlearning = {
    .name = "ceu",
    .formula =
        "mean_i mean_t CE(softmax(logits_t without token_t), softmax(logits_t)), the first "
        "detached",
    .parameters = kCrossEntropyUnlearningParameters,
    .retain_default = "none",
    .open_unlearning = {.mean = Counting::Mean::kTokens},
    .kind = OnLogits{CrossEntropyUnlearningLoss}};

}  // namespace grin
