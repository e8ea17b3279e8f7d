#include "grin/tune/on_logp.h"

#include <ATen/core/grad_mode.h>

#include "grin/base/error.h"
#include "grin/model/device.h"

namespace grin {
namespace {

// The values of a pass in float64, and which sequence each token belongs to.
class SequencesOfPass {
 public:
  // `together`: how many sequences have a share in common.
  SequencesOfPass(const TokenValues& values, int64_t together)
      : size_(static_cast<int64_t>(values.offsets.size()) - 1),
        logp_(Wide(values.logp)),
        weight_(Wide(values.weight)),
        unweighed_(weight_.le(0)) {
    const at::Tensor reference = Wide(values.reference);
    if (size_ < 1 || values.offsets.back() != logp_.numel() || weight_.numel() != logp_.numel() ||
        (reference.defined() && reference.numel() != logp_.numel())) {
      Defect("tune", "objective got {} log-probabilities, {} weights, {} references", logp_.numel(),
             weight_.numel(), reference.defined() ? reference.numel() : 0);
    }
    if (static_cast<int64_t>(values.shares.size()) * together != size_) {
      Defect("tune", "objective got {} shares of {} sequences", values.shares.size(), size_);
    }
    UploadSequences(values);
    // Sums over the tokens of each sequence, one of them a column: [S, 2 or 3].
    std::vector<at::Tensor> columns = {weight_, Masked(logp_ * weight_)};
    if (reference.defined()) columns.push_back(Masked(reference * weight_));
    const at::Tensor sums = at::segment_reduce(at::stack(columns, 1), "sum", lengths_, {}, {},
                                               /*axis=*/0, /*unsafe=*/true);
    nlls_ = {.nll = sums.select(1, 1).neg(), .tokens = sums.select(1, 0)};
    if (reference.defined()) nlls_.nll_reference = sums.select(1, 2).neg();
    if (sums.is_cpu()) CheckWeights();
  }

  const SequenceNlls& nlls() const { return nlls_; }
  const at::Tensor& shares() const { return shares_; }  // double [S / together]

  // The log-probabilities, 0 where there is no weight: double [N].
  at::Tensor WeighedLogp() const { return Masked(logp_); }

  // Each token's share in the loss of the pass, double [N].
  at::Tensor TokenShares() const { return OfTheirSequences(shares_ / nlls_.tokens).mul_(weight_); }

  // The derivative by each log-probability, of a loss with these slopes [S] in NLL_i: fp32 [N].
  at::Tensor FromNlls(const at::Tensor& slopes) const {
    return OfTheirSequences(slopes).mul_(weight_).neg_().to(at::kFloat);
  }

  // 0 where there is no weight: what is not weighed may be infinite.
  at::Tensor Masked(const at::Tensor& of_tokens) const {
    return of_tokens.masked_fill(unweighed_, 0);
  }

 private:
  static at::Tensor Wide(const at::Tensor& t) {
    return t.defined() ? t.flatten().to(at::kDouble) : t;
  }

  void UploadSequences(const TokenValues& values) {
    const int64_t count = logp_.numel();
    std::vector<int64_t> indices;  // each token's sequence, and then each sequence's length
    indices.reserve(count + size_);
    for (int64_t i = 0; i < size_; ++i) {
      indices.insert(indices.end(), values.offsets[i + 1] - values.offsets[i], i);
    }
    for (int64_t i = 0; i < size_; ++i) {
      indices.push_back(values.offsets[i + 1] - values.offsets[i]);
    }
    const at::Tensor uploaded = UploadIndices(indices, logp_.device());
    sequence_of_ = uploaded.narrow(0, 0, count);
    lengths_ = uploaded.narrow(0, count, size_);
    shares_ = Upload(at::tensor(values.shares, at::kDouble), logp_.device());
  }

  // Only on the CPU: another device would have to be waited for. Whoever makes a pass has looked.
  void CheckWeights() const {
    const double* tokens = nlls_.tokens.const_data_ptr<double>();
    for (int64_t i = 0; i < size_; ++i) {
      if (!(tokens[i * nlls_.tokens.stride(0)] > 0)) {
        Defect("tune", "sequence {} of a pass has no weighted token", i);
      }
    }
  }

  at::Tensor OfTheirSequences(const at::Tensor& by_sequence) const {
    return by_sequence.index_select(0, sequence_of_);
  }

  int64_t size_;
  at::Tensor logp_, weight_;  // double [N]
  at::Tensor unweighed_;      // bool [N]
  at::Tensor sequence_of_;    // int64 [N]
  at::Tensor lengths_;        // int64 [S]
  at::Tensor shares_;
  SequenceNlls nlls_;
};

}  // namespace

at::Tensor NegativeLogSigmoid(const at::Tensor& x) { return at::log_sigmoid(x).neg_(); }

LossAndGradient OfTokens(const TokenValues& values,
                         const std::function<TokenLosses(const at::Tensor&)>& loss) {
  const at::NoGradGuard no_grad;
  const SequencesOfPass sequences(values, 1);
  const at::Tensor share = sequences.TokenShares();
  const TokenLosses tokens = loss(sequences.WeighedLogp());
  return {sequences.Masked(share * tokens.loss).sum(),
          sequences.Masked(share * tokens.slope).to(at::kFloat)};
}

LossAndGradient OfSequenceNll(const TokenValues& values,
                              const std::function<NllLosses(const SequenceNlls&)>& loss) {
  const at::NoGradGuard no_grad;
  const SequencesOfPass sequences(values, 1);
  const NllLosses result = loss(sequences.nlls());
  return {(sequences.shares() * result.loss).sum(),
          sequences.FromNlls(sequences.shares() * result.slope)};
}

LossAndGradient OfPairNll(
    const TokenValues& values,
    const std::function<PairLosses(const SequenceNlls&, const SequenceNlls&)>& loss) {
  const at::NoGradGuard no_grad;
  const SequencesOfPass sequences(values, 2);
  const auto every_second = [&](int64_t first) {
    const auto of = [&](const at::Tensor& x) {
      return x.defined() ? x.slice(0, first, x.size(0), 2) : x;
    };
    const SequenceNlls& all = sequences.nlls();
    return SequenceNlls{of(all.nll), of(all.nll_reference), of(all.tokens)};
  };
  const at::Tensor& shares = sequences.shares();
  const PairLosses pairs = loss(every_second(0), every_second(1));
  const at::Tensor slopes =
      at::stack({shares * pairs.forgotten_slope, shares * pairs.preferred_slope}, 1).flatten();
  return {(shares * pairs.loss).sum(), sequences.FromNlls(slopes)};
}

}  // namespace grin
