// Losses that see the log-probabilities of labelled tokens and nothing else.

#include <algorithm>
#include <cmath>

#include "grin/base/error.h"
#include "grin/tune/losses.h"

namespace grin {
namespace {

double Sigmoid(double x) {
  return x >= 0 ? 1 / (1 + std::exp(-x)) : std::exp(x) / (1 + std::exp(x));
}

// -log sigmoid(x), for any x without overflow.
double NegativeLogSigmoid(double x) {
  return std::max(-x, 0.0) + std::log1p(std::exp(-std::fabs(x)));
}

// The tokens of one sequence.
struct ScoredSequence {
  std::span<const float> logp;
  std::span<const float> reference;  // empty where there is none
  std::span<const float> weight;
  double tokens = 0;         // T_i
  double nll = 0;            // NLL_i
  double nll_reference = 0;  // 0 where there is none
};

// Calls f(sequence, gradient), which returns the sequence's loss and fills in its derivative by the
// tokens' log-probabilities, and adds up with `scale`.
template <typename F>
LossAndGradient ForEachSequence(const TokenValues& values, double scale, const F& f) {
  const auto flat = [](const at::Tensor& t) {
    return t.defined() ? t.to(at::kCPU, at::kFloat).contiguous() : t;
  };
  const at::Tensor logp = flat(values.logp);
  const at::Tensor reference = flat(values.reference);
  const at::Tensor weight = flat(values.weight);
  at::Tensor gradient = at::empty({logp.numel()}, at::kFloat);
  if (values.offsets.empty() || values.offsets.back() != logp.numel() ||
      weight.numel() != logp.numel() ||
      (reference.defined() && reference.numel() != logp.numel())) {
    Defect("tune", "objective got {} log-probabilities, {} weights, {} references", logp.numel(),
           weight.numel(), reference.defined() ? reference.numel() : 0);
  }

  LossAndGradient result;
  for (size_t i = 0; i + 1 < values.offsets.size(); ++i) {
    const int64_t begin = values.offsets[i];
    const auto size = static_cast<size_t>(values.offsets[i + 1] - begin);
      ScoredSequence sequence{{logp.const_data_ptr<float>() + begin, size},
                      {},
                      {weight.const_data_ptr<float>() + begin, size}};
    if (reference.defined()) sequence.reference = {reference.const_data_ptr<float>() + begin, size};
    for (size_t t = 0; t < size; ++t) {
      const double w = sequence.weight[t];
      sequence.tokens += w;
      if (w == 0) continue;  // what is not weighed may be infinite
      sequence.nll -= w * sequence.logp[t];
      if (reference.defined()) sequence.nll_reference -= w * sequence.reference[t];
    }
    if (!(sequence.tokens > 0)) Defect("tune", "sequence {} of a pass has no weighted token", i);
    const std::span<float> out{gradient.mutable_data_ptr<float>() + begin, size};
    result.loss += scale * f(sequence, out);
    for (float& g : out) g = static_cast<float>(scale * g);
  }
  result.gradient = gradient.to(values.logp.device());
  return result;
}

struct Term {
  double loss;
  double slope;  // d loss / d NLL_i
};

// For losses that see a sequence only through its NLL_i.
template <typename F>
LossAndGradient OfSequenceNll(const TokenValues& values, double scale, const F& term) {
  return ForEachSequence(values, scale, [&](const ScoredSequence& sequence, std::span<float> gradient) {
    const Term result = term(sequence);
    for (size_t t = 0; t < gradient.size(); ++t) {
      gradient[t] = static_cast<float>(-result.slope * sequence.weight[t]);
    }
    return result.loss;
  });
}

}  // namespace

LossAndGradient NegativeLogLikelihood(const TokenValues& values, const ObjectiveSettings&,
                                      double scale) {
  return OfSequenceNll(values, scale, [](const ScoredSequence& s) {
    return Term{s.nll / s.tokens, 1 / s.tokens};
  });
}

LossAndGradient GradientAscent(const TokenValues& values, const ObjectiveSettings&, double scale) {
  return OfSequenceNll(values, scale, [](const ScoredSequence& s) {
    return Term{-s.nll / s.tokens, -1 / s.tokens};
  });
}

LossAndGradient NegativePreference(const TokenValues& values, const ObjectiveSettings& settings,
                                   double scale) {
  if (!values.reference.defined()) Defect("tune", "npo got no reference log-probabilities");
  return OfSequenceNll(values, scale, [&](const ScoredSequence& s) {
    const double x = settings.beta * (s.nll - s.nll_reference);
    return Term{2 / settings.beta * NegativeLogSigmoid(x), -2 * Sigmoid(-x)};
  });
}

LossAndGradient SimpleNegativePreference(const TokenValues& values,
                                         const ObjectiveSettings& settings, double scale) {
  return OfSequenceNll(values, scale, [&](const ScoredSequence& s) {
    const double x = settings.beta * (s.nll / s.tokens - settings.delta);
    return Term{2 / settings.beta * NegativeLogSigmoid(x), -2 * Sigmoid(-x) / s.tokens};
  });
}

// Unlikelihood. As p -> 1 both -log(1 - p) and its derivative p / (1 - p) diverge, and fp32 cannot
// tell p from 1 any more; from 1 - p = 1e-6 on both are those at that point, so that a token known
// by heart still has a gradient.
LossAndGradient Unlikelihood(const TokenValues& values, const ObjectiveSettings&, double scale) {
  static const double kHighest = std::log1p(-1e-6);
  return ForEachSequence(values, scale, [](const ScoredSequence& s, std::span<float> gradient) {
    double loss = 0;
    for (size_t t = 0; t < gradient.size(); ++t) {
      const double lp = std::min<double>(s.logp[t], kHighest);
      const double share = s.weight[t] / s.tokens;
      if (share > 0) loss -= share * std::log(-std::expm1(lp));
      gradient[t] = static_cast<float>(share / std::expm1(-lp));
    }
    return loss;
  });
}

LossAndGradient Nothing(const TokenValues& values, const ObjectiveSettings&, double) {
  return {0, at::zeros_like(values.logp)};
}

}  // namespace grin
