#include "grin/locate/score.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "grin/base/error.h"
#include "grin/base/random.h"
#include "grin/base/table.h"
#include "grin/model/device.h"
#include "grin/model/parallel.h"

namespace grin {
namespace {

at::Tensor GradientRatio(const ScoreInput& input) {
  const at::Tensor scores = input.forget_gradient.contiguous();
  const at::Tensor retain = input.retain_gradient.contiguous();
  if (!scores.is_cpu()) {
    const at::Tensor nothing = scores.eq(0);
    return scores.abs_().div_(retain.abs().add_(input.epsilon)).masked_fill_(nothing, 0);
  }
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

// WAGLE (arXiv 2410.17509). The sign of g_f is that of a loss which falls as the set is known better.
at::Tensor WeightAttribution(const ScoreInput& input) {
  const at::Tensor scores = input.forget_gradient.contiguous();
  const at::Tensor moved = input.weight.detach().to(at::kFloat).sub(input.retain_gradient, 1 / input.mu);
  return scores.mul_(moved).abs_();
}

// SNIP (Lee et al. 2019): how much the forget loss would change, to first order, if the weight were 0.
at::Tensor Sensitivity(const ScoreInput& input) {
  return input.forget_gradient.contiguous().mul_(input.weight.detach().to(at::kFloat)).abs_();
}

// The ratio of two importances: of the gradients themselves where their squares could not be held in
// fp32, squared afterwards. 0 where both gradients are 0.
at::Tensor& RatioOfImportances(const at::Tensor& above, const at::Tensor& below, at::Tensor& out,
                               Statistic statistic) {
  const at::Tensor nothing = above.eq(0).logical_and_(below.eq(0));
  at::div_out(out, above, below).abs_();
  if (statistic == Statistic::kRms) out.square_();
  return out.masked_fill_(nothing, 0);
}

// Selective synaptic dampening (Foster et al. 2024).
at::Tensor ImportanceRatio(const ScoreInput& input) {
  at::Tensor scores = input.forget_gradient.contiguous();
  return RatioOfImportances(scores, input.retain_gradient, scores, input.statistic);
}

// Per-parameter task arithmetic (arXiv 2601.22030): F_f / (F_f + a F_r) = 1 / (1 + a F_r / F_f).
at::Tensor ImportanceShare(const ScoreInput& input) {
  at::Tensor scores = input.forget_gradient.contiguous();
  const at::Tensor none = scores.eq(0);
  RatioOfImportances(input.retain_gradient, scores, scores, input.statistic);
  return scores.mul_(input.retain_weight).add_(1).reciprocal_().masked_fill_(none, 0);
}

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
  return Upload(scores, input.weight.device());
}

at::Tensor All(const ScoreInput& input) {
  return at::ones(input.weight.sizes(), input.weight.options().dtype(at::kFloat));
}

constexpr std::array kMethods{
    ScoreMethod{.name = "grin",
                .formula = "|g_f| / (|g_r| + eps), 0 where both are 0",
                .needs_forget = true,
                .needs_retain = true,
                .uses_epsilon = true,
                .function = GradientRatio},
    ScoreMethod{
        .name = "salun", .formula = "|g_f|", .needs_forget = true, .function = Saliency},
    ScoreMethod{.name = "wagle",
                .formula = "|(theta - g_r / mu) g_f|",
                .needs_forget = true,
                .needs_retain = true,
                .function = WeightAttribution},
    ScoreMethod{
        .name = "snip", .formula = "|theta g_f|", .needs_forget = true, .function = Sensitivity},
    ScoreMethod{.name = "ssd",
                .formula = "F_f / F_r, 0 where both are 0",
                .needs_forget = true,
                .needs_retain = true,
                .by_importance = true,
                .function = ImportanceRatio},
    ScoreMethod{.name = "perta",
                .formula = "F_f / (F_f + a F_r), 0 where F_f is 0",
                .needs_forget = true,
                .needs_retain = true,
                .by_importance = true,
                .function = ImportanceShare},
    ScoreMethod{.name = "magnitude", .formula = "|theta|", .function = Magnitude},
    ScoreMethod{.name = "random",
                .formula = "uniform in [0, 1), by seed, tensor and position",
                .function = Random},
    ScoreMethod{.name = "all", .formula = "1: every weight alike", .function = All},
};

struct StatisticRow {
  std::string_view name;
  Statistic value;
};

constexpr std::array kStatistics{StatisticRow{"mean", Statistic::kMean},
                                 StatisticRow{"abs", Statistic::kAbs},
                                 StatisticRow{"rms", Statistic::kRms}};

// Sum of f(|g_r|) over all entries, in an order that the number of threads does not change. On other
// devices `sum_of` gives that of one tensor's |g_r|.
template <typename F, typename SumOf>
double SumOverMagnitudes(const std::vector<ScoreTensor>& tensors, const F& f, const SumOf& sum_of) {
  double sum = 0;
  if (!tensors.empty() && !tensors.front().values.is_cpu()) {
    std::vector<at::Tensor> sums;
    for (const ScoreTensor& tensor : tensors) {
      sums.push_back(sum_of(tensor.values.abs()).to(at::kDouble));
    }
    return at::stack(sums).sum().item<double>();
  }
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

// Share of the entries with |g_r| < epsilon.
double ShareBelow(const std::vector<ScoreTensor>& retain_gradients, float epsilon) {
  return SumOverMagnitudes(
             retain_gradients, [=](float x) { return x < epsilon ? 1.0 : 0.0; },
             [=](const at::Tensor& sizes) { return sizes.lt(epsilon).sum(); }) /
         static_cast<double>(TotalSize(retain_gradients));
}

float ValueOf(const Epsilon& epsilon, const std::vector<ScoreTensor>& retain_gradients) {
  switch (epsilon.kind) {
    case Epsilon::Kind::kPercentile:
      return Percentile(retain_gradients, epsilon.value);
    case Epsilon::Kind::kMean:
      return static_cast<float>(
          SumOverMagnitudes(
              retain_gradients, [](float x) { return static_cast<double>(x); },
              [](const at::Tensor& sizes) { return sizes.sum(at::kDouble); }) /
          static_cast<double>(TotalSize(retain_gradients)));
    case Epsilon::Kind::kAbsolute:
      return static_cast<float>(epsilon.value);
  }
  Defect("locate", "epsilon of kind {}", static_cast<int>(epsilon.kind));
}

}  // namespace

Statistic ParseStatistic(std::string_view text) {
  return FindRow("locate", "statistic", kStatistics, text).value;
}

std::string_view NameOf(Statistic statistic) {
  return std::ranges::find(kStatistics, statistic, &StatisticRow::value)->name;
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

ResolvedEpsilon ResolveEpsilon(const Epsilon& epsilon,
                               const std::vector<ScoreTensor>& retain_gradients,
                               const FirstDigits* digits) {
  const auto all = static_cast<double>(TotalSize(retain_gradients));
  if (digits && epsilon.kind == Epsilon::Kind::kPercentile) {
    const PercentileFound found = Percentile(retain_gradients, epsilon.value, *digits);
    return {found.value, static_cast<double>(found.below) / all};
  }
  const float value = ValueOf(epsilon, retain_gradients);
  return {value, ShareBelow(retain_gradients, value)};
}

std::span<const ScoreMethod> ScoreMethods() { return kMethods; }

const ScoreMethod& FindScoreMethod(std::string_view name) {
  return FindRow("locate", "method", kMethods, name);
}

}  // namespace grin
