#include "grin/locate/score.h"

#include <array>
#include <charconv>
#include <cmath>

#include "grin/base/error.h"
#include "grin/base/random.h"
#include "grin/base/table.h"
#include "grin/model/parallel.h"

namespace grin {
namespace {

at::Tensor GradientRatio(const ScoreInput& input) {
  const at::Tensor scores = input.forget_gradient.contiguous();
  const at::Tensor retain = input.retain_gradient.contiguous();
  float* score = scores.mutable_data_ptr<float>();
  const float* g_r = retain.const_data_ptr<float>();
  const float epsilon = input.epsilon;
  ForEachPiece(scores.numel(), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const float above = std::fabs(score[i]);
      const float below = std::fabs(g_r[i]) + epsilon;
      score[i] = above == 0 && below == 0 ? 0 : above / below;
    }
  });
  return scores;
}

at::Tensor Saliency(const ScoreInput& input) { return input.forget_gradient.contiguous().abs_(); }

at::Tensor Magnitude(const ScoreInput& input) {
  return input.weight.detach()
      .to(at::kFloat, /*non_blocking=*/false, /*copy=*/true)
      .contiguous()
      .abs_();
}

at::Tensor Random(const ScoreInput& input) {
  const at::Tensor scores = at::empty(input.weight.sizes(), at::kFloat);
  float* score = scores.mutable_data_ptr<float>();
  const RandomStream stream(input.seed, std::string("locate/").append(input.name));
  ForEachPiece(scores.numel(), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) score[i] = static_cast<float>(stream.Uniform(i));
  });
  return scores;
}

at::Tensor All(const ScoreInput& input) { return at::ones(input.weight.sizes(), at::kFloat); }

constexpr std::array kMethods{
    ScoreMethod{"grin", "|g_f| / (|g_r| + eps), 0 where both are 0", true, true, GradientRatio},
    ScoreMethod{"salun", "|g_f|", true, false, Saliency},
    ScoreMethod{"magnitude", "|theta|", false, false, Magnitude},
    ScoreMethod{"random", "uniform in [0, 1), by seed, tensor and position", false, false, Random},
    ScoreMethod{"all", "1: every weight alike", false, false, All},
};

struct StatisticRow {
  std::string_view name;
  Statistic value;
};

constexpr std::array kStatistics{StatisticRow{"mean", Statistic::kMean},
                                 StatisticRow{"abs", Statistic::kAbs},
                                 StatisticRow{"rms", Statistic::kRms}};

// Sum of f(|g_r|) over all entries, in an order that the number of threads does not change.
template <typename F>
double SumOverMagnitudes(const std::vector<ScoreTensor>& tensors, const F& f) {
  double sum = 0;
  for (const ScoreTensor& tensor : tensors) {
    const float* values = tensor.values.const_data_ptr<float>();
    sum += SumOverPieces(tensor.values.numel(), [&](int64_t begin, int64_t end) {
      double piece = 0;
      for (int64_t i = begin; i < end; ++i) piece += f(std::fabs(values[i]));
      return piece;
    });
  }
  return sum;
}

int64_t TotalSize(const std::vector<ScoreTensor>& tensors) {
  int64_t total = 0;
  for (const ScoreTensor& tensor : tensors) total += tensor.values.numel();
  if (total == 0) BadInput("locate", "no weights are in scope");
  return total;
}

}  // namespace

Statistic ParseStatistic(std::string_view text) {
  return FindRow("locate", "statistic", kStatistics, text).value;
}

Epsilon Epsilon::Parse(std::string_view text) {
  if (text == "mean") return {Kind::kMean, 0};
  const bool percent = text.ends_with('%');
  const std::string_view digits = text.substr(0, text.size() - percent);
  double value = -1;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc() || end != digits.data() + digits.size() || !std::isfinite(value) ||
      value < 0 || (percent && value > 100)) {
    BadUsage("locate", "epsilon '{}' is not understood, expected 0%..100%, mean or a number >= 0",
             text);
  }
  return {percent ? Kind::kPercentile : Kind::kAbsolute, value};
}

float ResolveEpsilon(const Epsilon& epsilon, const std::vector<ScoreTensor>& retain_gradients) {
  switch (epsilon.kind) {
    case Epsilon::Kind::kPercentile:
      return Percentile(retain_gradients, epsilon.value);
    case Epsilon::Kind::kMean:
      return static_cast<float>(
          SumOverMagnitudes(retain_gradients, [](float x) { return static_cast<double>(x); }) /
          static_cast<double>(TotalSize(retain_gradients)));
    case Epsilon::Kind::kAbsolute:
      return static_cast<float>(epsilon.value);
  }
  Defect("locate", "epsilon of kind {}", static_cast<int>(epsilon.kind));
}

double ShareBelow(const std::vector<ScoreTensor>& retain_gradients, float epsilon) {
  return SumOverMagnitudes(retain_gradients, [=](float x) { return x < epsilon ? 1.0 : 0.0; }) /
         static_cast<double>(TotalSize(retain_gradients));
}

std::span<const ScoreMethod> ScoreMethods() { return kMethods; }

const ScoreMethod& FindScoreMethod(std::string_view name) {
  return FindRow("locate", "method", kMethods, name);
}

}  // namespace grin
