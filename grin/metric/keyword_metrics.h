#pragma once
// GRIN's own metrics (docs/metrics.md): does the model still hold the words that carry the fact?
// Unlike ROUGE and probability they do not reward fluent filler.

#include <cstdint>
#include <string>
#include <vector>

#include "grin/data/example.h"
#include "grin/data/sequence.h"
#include "grin/engine/likelihood.h"

namespace grin {

// Values of one example; `count` keywords were scored, and an example without any says nothing.
struct KeywordScore {
  int64_t count = 0;
  double accuracy = 0;    // share of keywords whose every token is argmax under teacher forcing
  double confidence = 0;  // mean over keywords of the geometric mean of their tokens' probabilities
};

// Needs scores with argmax.
KeywordScore ScoreKeywords(const Example& example, const Sequence& sequence,
                           const SequenceScores& scores);

// Share of an example's keywords that occur in a generated answer, compared as whole words without
// case. Nothing to find, or plain text, which has no prompt to answer, gives a count of 0.
KeywordScore FindKeywords(const Example& example, const std::string& generated);

// Averages over a data set.
struct SetScores {
  double probability = 0;         // mean over examples of exp(mean log-probability)
  double keyword_accuracy = 0;    // mean over examples with keywords
  double keyword_confidence = 0;  // the same
};
SetScores AverageScores(const std::vector<Example>& examples,
                        const std::vector<Sequence>& sequences,
                        const std::vector<SequenceScores>& scores);

// Share of the words of a text that repeat one of the four words before them: near 0 for prose,
// near 1 where a model is stuck. A text of fewer than two words has rate 0.
double RepetitionRate(const std::string& text);

}  // namespace grin
