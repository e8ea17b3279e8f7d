#include "grin/tune/on_logp.h"

#include <algorithm>
#include <cmath>

#include "grin/base/error.h"

namespace grin {
namespace {

// The values of a pass on the CPU, sequence by sequence, with the gradient that is to be filled in.
class SequencesOfPass {
 public:
  explicit SequencesOfPass(const TokenValues& values)
      : values_(values),
        logp_(Flat(values.logp)),
        reference_(Flat(values.reference)),
        weight_(Flat(values.weight)),
        gradient_(at::empty({logp_.numel()}, at::kFloat)) {
    if (values.offsets.empty() || values.offsets.back() != logp_.numel() ||
        weight_.numel() != logp_.numel() ||
        (reference_.defined() && reference_.numel() != logp_.numel())) {
      Defect("tune", "objective got {} log-probabilities, {} weights, {} references", logp_.numel(),
             weight_.numel(), reference_.defined() ? reference_.numel() : 0);
    }
  }

  size_t size() const { return values_.offsets.size() - 1; }

  // How many shares there must be: one for `together` sequences.
  void CheckShares(size_t together) const {
    if (values_.shares.size() * together == size()) return;
    Defect("tune", "objective got {} shares of {} sequences", values_.shares.size(), size());
  }

  ScoredSequence Get(size_t i) const {
    ScoredSequence sequence;
    sequence.logp = Part(logp_.const_data_ptr<float>(), i);
    sequence.weight = Part(weight_.const_data_ptr<float>(), i);
    if (reference_.defined()) {
      sequence.reference = Part(reference_.const_data_ptr<float>(), i);
    }
    for (size_t t = 0; t < sequence.logp.size(); ++t) {
      const double w = sequence.weight[t];
      sequence.tokens += w;
      if (w == 0) continue;  // what is not weighed may be infinite
      sequence.nll -= w * sequence.logp[t];
      if (reference_.defined()) sequence.nll_reference -= w * sequence.reference[t];
    }
    if (!(sequence.tokens > 0)) Defect("tune", "sequence {} of a pass has no weighted token", i);
    return sequence;
  }

  std::span<float> Gradient(size_t i) { return Part(gradient_.mutable_data_ptr<float>(), i); }

  LossAndGradient Result(double loss) const { return {loss, gradient_.to(values_.logp.device())}; }

 private:
  static at::Tensor Flat(const at::Tensor& t) {
    return t.defined() ? t.to(at::kCPU, at::kFloat).contiguous() : t;
  }
  template <typename T>
  std::span<T> Part(T* all, size_t i) const {
    const int64_t begin = values_.offsets[i];
    return {all + begin, static_cast<size_t>(values_.offsets[i + 1] - begin)};
  }

  const TokenValues& values_;
  at::Tensor logp_, reference_, weight_, gradient_;
};

// The derivative by each log-probability, of a loss with that slope in NLL_i.
void FromNll(const ScoredSequence& sequence, double slope, std::span<float> gradient) {
  for (size_t t = 0; t < gradient.size(); ++t) {
    gradient[t] = static_cast<float>(-slope * sequence.weight[t]);
  }
}

}  // namespace

double Sigmoid(double x) {
  return x >= 0 ? 1 / (1 + std::exp(-x)) : std::exp(x) / (1 + std::exp(x));
}

double NegativeLogSigmoid(double x) {
  return std::max(-x, 0.0) + std::log1p(std::exp(-std::fabs(x)));
}

LossAndGradient ForEachSequence(
    const TokenValues& values,
    const std::function<double(const ScoredSequence&, std::span<float>)>& loss) {
  SequencesOfPass sequences(values);
  sequences.CheckShares(1);
  double sum = 0;
  for (size_t i = 0; i < sequences.size(); ++i) {
    const std::span<float> gradient = sequences.Gradient(i);
    const double share = values.shares[i];
    sum += share * loss(sequences.Get(i), gradient);
    for (float& g : gradient) g = static_cast<float>(share * g);
  }
  return sequences.Result(sum);
}

LossAndGradient OfTokens(const TokenValues& values, const std::function<TokenLoss(double)>& loss) {
  return ForEachSequence(values, [&](const ScoredSequence& sequence, std::span<float> gradient) {
    double sum = 0;
    for (size_t t = 0; t < gradient.size(); ++t) {
      const double share = sequence.weight[t] / sequence.tokens;
      const TokenLoss token = share > 0 ? loss(sequence.logp[t]) : TokenLoss{};
      sum += share * token.loss;
      gradient[t] = static_cast<float>(share * token.slope);
    }
    return sum;
  });
}

LossAndGradient OfSequenceNll(const TokenValues& values,
                              const std::function<NllLoss(const ScoredSequence&)>& loss) {
  return ForEachSequence(values, [&](const ScoredSequence& sequence, std::span<float> gradient) {
    const NllLoss result = loss(sequence);
    FromNll(sequence, result.slope, gradient);
    return result.loss;
  });
}

LossAndGradient OfPairNll(
    const TokenValues& values,
    const std::function<PairLoss(const ScoredSequence&, const ScoredSequence&)>& loss) {
  SequencesOfPass sequences(values);
  sequences.CheckShares(2);
  double sum = 0;
  for (size_t i = 0; i + 1 < sequences.size(); i += 2) {
    const ScoredSequence forgotten = sequences.Get(i), preferred = sequences.Get(i + 1);
    const double share = values.shares[i / 2];
    const PairLoss pair = loss(forgotten, preferred);
    sum += share * pair.loss;
    FromNll(forgotten, share * pair.forgotten_slope, sequences.Gradient(i));
    FromNll(preferred, share * pair.preferred_slope, sequences.Gradient(i + 1));
  }
  return sequences.Result(sum);
}

}  // namespace grin
