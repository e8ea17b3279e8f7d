#pragma once
// How a weight's influence is computed from the gradients on the forget and the retain set: one
// table of methods, the statistic that the gradient pass accumulates, and the epsilon of the ratio.

#include <ATen/ATen.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "grin/locate/top_k.h"

namespace grin {

// What the gradient pass accumulates per weight over a data set.
enum class Statistic {
  kMean,  // signed mean of the gradient
  kAbs,   // mean of the batches' absolute gradients
  kRms,   // root of the mean squared per-sequence gradient
};

// "mean", "abs", "rms". Error (usage) for another word.
Statistic ParseStatistic(std::string_view text);
std::string_view NameOf(Statistic statistic);

// The constant that keeps the ratio finite where the retain gradient vanishes.
struct Epsilon {
  enum class Kind { kPercentile, kMean, kAbsolute };
  Kind kind = Kind::kPercentile;
  double value = 50;  // percent, or the number itself; unused by kMean

  // "50%" (of |g_r|), "mean" (of |g_r|) or a number >= 0. Error (usage) for anything else.
  static Epsilon Parse(std::string_view text);
};

// Its value, and the share of the entries with |g_r| below it.
struct ResolvedEpsilon {
  float value = 0;
  double share_below = 0;
};

// Given the retain gradients of all scored weights, and no others. `digits` counted their magnitudes
// as they came, or did not.
ResolvedEpsilon ResolveEpsilon(const Epsilon& epsilon,
                               const std::vector<ScoreTensor>& retain_gradients,
                               const FirstDigits* digits = nullptr);

// What a method may look at for one weight; tensors that it does not need may be undefined.
struct ScoreInput {
  std::string_view name;
  at::Tensor weight;           // any floating type
  at::Tensor forget_gradient;  // fp32, in the weight's shape; may be overwritten by the scores
  at::Tensor retain_gradient;  // fp32, in the weight's shape
  float epsilon = 0;
  uint64_t seed = 0;
  Statistic statistic = Statistic::kMean;  // that the gradients are of
  double mu = 1;                           // of wagle
  double retain_weight = 1;                // of perta
};

struct ScoreMethod {
  std::string_view name;
  std::string_view formula;  // one line, for --help
  bool needs_forget;
  bool needs_retain;
  // Compares importances: the mean square of a gradient (Fisher), where the statistic is rms, which is
  // then the default; or its magnitude.
  bool by_importance;
  bool uses_epsilon;
  // The scores in the weight's shape, fp32 and contiguous; in the memory of forget_gradient where
  // there is one.
  at::Tensor (*function)(const ScoreInput& input);
};

std::span<const ScoreMethod> ScoreMethods();

// Error (usage) that lists the known ones and names the nearest.
const ScoreMethod& FindScoreMethod(std::string_view name);

}  // namespace grin
