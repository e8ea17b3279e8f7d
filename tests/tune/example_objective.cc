// Uniform forgetting, an example: the forget set's distributions are pulled to the uniform one, by
// the cross-entropy -(1 / V) sum_v log p_v, tempered by a parameter of its own.

#include "grin/tune/objective.h"
#include "grin/tune/on_logits.h"

namespace grin {
namespace {

constexpr ObjectiveParameter kUniformParameters[] = {
    {"temperature", 1, "what the logits are divided by before they are compared"}};

// The loss of each row [c], of logits [c, V] that become its derivative.
at::Tensor UniformLoss(RowValues& rows, const ObjectiveSettings& settings) {
  const double temperature = settings["temperature"];
  const double share = 1.0 / static_cast<double>(rows.values.size(1));  // 1 / V
  rows.values.div_(temperature);
  ToLogProbabilities(rows.values);
  const at::Tensor loss = rows.values.mean(/*dim=*/-1).neg_();
  rows.values.exp_().sub_(share).div_(temperature);  // softmax - 1 / V
  return loss;
}

}  // namespace

extern const Objective kUniform;
const Objective kUniform = {.name = "uniform",
                            .formula = "mean_i mean_t CE(uniform, softmax(logits_t / temperature))",
                            .parameters = kUniformParameters,
                            .kind = OnLogits{UniformLoss}};

}  // namespace grin
