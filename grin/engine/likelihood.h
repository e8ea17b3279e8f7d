#pragma once
// The likelihood engine: log-probabilities of labelled tokens for any number of sequences.

#include <compare>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "grin/data/sequence.h"
#include "grin/model/decoder.h"

namespace grin {

// Values at the labels of one sequence.
struct SequenceScores {
  std::vector<float> logp;
  std::vector<int32_t> argmax;        // when asked
  std::vector<float> mean, variance;  // of log p over the vocabulary, when asked
  std::vector<float> serial;          // logp by SerialLogNormaliser, when asked

  // exp of the mean log-probability: the geometric mean of the tokens' probabilities.
  double Probability() const;
};

// What is wanted besides the log-probabilities.
struct ScoreExtras {
  bool argmax = false;
  bool moments = false;
  bool serial = false;

  auto operator<=>(const ScoreExtras&) const = default;
};

struct LikelihoodOptions {
  int64_t pass_tokens = 4096;  // tokens of one forward pass
  ScoreExtras extras;
  bool share_prefixes = true;  // what sequences have in common at their start is computed once
  std::string progress;        // label of a progress bar; none when empty
  // Called with each sequence's number and scores as soon as they are there; with those that other
  // processes have scored at the end.
  std::function<void(size_t, const SequenceScores&)> on_scored;
};

// In the order of the sequences, which does not depend on how passes are formed. The processes that have
// the model (Model::ranks) share out the passes, and all get all scores.
std::vector<SequenceScores> ScoreSequences(const Model& model,
                                           std::span<const Sequence* const> sequences,
                                           const LikelihoodOptions& options = {});
std::vector<SequenceScores> ScoreSequences(const Model& model,
                                           const std::vector<Sequence>& sequences,
                                           const LikelihoodOptions& options = {});

}  // namespace grin
