#include "grin/metric/keyword_metrics.h"

#include <algorithm>
#include <cmath>

#include "grin/data/keywords.h"
#include "grin/text/words.h"

namespace grin {

KeywordScore ScoreKeywords(const Example& example, const Sequence& sequence,
                           const SequenceScores& scores) {
  KeywordScore result;
  for (const auto& labels : KeywordLabels(example, sequence)) {
    bool found = true;
    double sum = 0;
    for (const int64_t label : labels) {
      found &= scores.argmax[label] == sequence.tokens[sequence.labels[label]];
      sum += scores.logp[label];
    }
    ++result.count;
    result.accuracy += found;
    result.confidence += std::exp(sum / static_cast<double>(labels.size()));
  }
  if (result.count > 0) {
    result.accuracy /= static_cast<double>(result.count);
    result.confidence /= static_cast<double>(result.count);
  }
  return result;
}

KeywordScore FindKeywords(const Example& example, const std::string& generated) {
  if (example.is_text()) return {};
  std::vector<std::string> said;
  for (const Word& word : Words(generated)) said.push_back(word.folded);
  KeywordScore result;
  for (const auto& [begin, end] : KeywordSpans(example)) {
    std::vector<std::string> wanted;
    for (const Word& word : Words(example.response.substr(begin, end - begin))) {
      wanted.push_back(word.folded);
    }
    ++result.count;
    result.accuracy += !std::ranges::search(said, wanted).empty() || wanted.empty();
  }
  if (result.count > 0) result.accuracy /= static_cast<double>(result.count);
  return result;
}

SetScores AverageScores(const std::vector<Example>& examples,
                        const std::vector<Sequence>& sequences,
                        const std::vector<SequenceScores>& scores) {
  SetScores average;
  double with_keywords = 0;
  for (size_t i = 0; i < sequences.size(); ++i) {
    average.probability += scores[i].Probability();
    const KeywordScore keywords =
        ScoreKeywords(examples.at(sequences[i].example), sequences[i], scores[i]);
    if (keywords.count == 0) continue;
    ++with_keywords;
    average.keyword_accuracy += keywords.accuracy;
    average.keyword_confidence += keywords.confidence;
  }
  average.probability /= std::max<double>(1.0, static_cast<double>(sequences.size()));
  average.keyword_accuracy /= std::max(1.0, with_keywords);
  average.keyword_confidence /= std::max(1.0, with_keywords);
  return average;
}

double RepetitionRate(const std::string& text) {
  const std::vector<Word> words = Words(text);
  if (words.size() < 2) return 0;
  int64_t repeated = 0;
  for (size_t i = 1; i < words.size(); ++i) {
    const size_t first = i > 4 ? i - 4 : 0;
    for (size_t j = first; j < i; ++j) {
      if (words[j].folded == words[i].folded) {
        ++repeated;
        break;
      }
    }
  }
  return static_cast<double>(repeated) / static_cast<double>(words.size() - 1);
}

}  // namespace grin
