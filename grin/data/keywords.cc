#include "grin/data/keywords.h"

#include <algorithm>
#include <set>

#include "grin/base/error.h"
#include "grin/text/words.h"

namespace grin {
namespace {

using KeywordSpan = std::pair<int64_t, int64_t>;

// Function words of English, folded to lower case. They never carry a fact by themselves.
const std::set<std::string>& StopWords() {
  static const std::set<std::string> words = {
      "a", "about", "above", "after", "again", "against", "all", "also", "am", "an", "and", "any",
      "are", "as", "at", "be", "because", "been", "before", "being", "below", "between", "both",
      "but", "by", "can", "could", "did", "do", "does", "doing", "down", "during", "each", "few",
      "for", "from", "further", "had", "has", "have", "having", "he", "her", "here", "hers",
      "herself", "him", "himself", "his", "how", "i", "if", "in", "into", "is", "it", "its",
      "itself", "just", "may", "me", "might", "more", "most", "must", "my", "myself", "no", "nor",
      "not", "now", "of", "off", "on", "once", "only", "or", "other", "our", "ours", "ourselves",
      "out", "over", "own", "same", "shall", "she", "should", "so", "some", "such", "than", "that",
      "the", "their", "theirs", "them", "themselves", "then", "there", "these", "they", "this",
      "those", "through", "to", "too", "under", "until", "up", "upon", "us", "very", "was", "we",
      "were", "what", "when", "where", "which", "while", "who", "whom", "whose", "why", "will",
      "with", "within", "without", "would", "yes", "you", "your", "yours", "yourself",
      "yourselves"};
  return words;
}

std::vector<KeywordSpan> GivenKeywords(const Example& example) {
  std::vector<KeywordSpan> spans;
  for (const std::string& keyword : example.keywords) {
    const size_t at = keyword.empty() ? std::string::npos : example.response.find(keyword);
    if (at == std::string::npos) {
      BadInput("data", "{}: keyword '{}' does not occur in the answer '{}'", example.where, keyword,
               example.response);
    }
    spans.emplace_back(at, at + keyword.size());
  }
  std::ranges::sort(spans);
  return spans;
}

}  // namespace

std::vector<KeywordSpan> KeywordSpans(const Example& example) {
  if (!example.keywords.empty()) return GivenKeywords(example);
  std::set<std::string> known;
  for (const Word& word : Words(example.prompt)) known.insert(word.folded);
  for (const std::string& alternative : example.alternatives) {
    for (const Word& word : Words(alternative)) known.insert(word.folded);
  }
  std::vector<KeywordSpan> spans;
  for (const Word& word : Words(example.response)) {
    if (known.contains(word.folded) || StopWords().contains(word.folded)) continue;
    spans.push_back(word.span);
  }
  return spans;
}

std::vector<std::vector<int64_t>> KeywordLabels(const Example& example, const Sequence& sequence) {
  std::vector<std::vector<int64_t>> keywords;
  for (const KeywordSpan& span : KeywordSpans(example)) {
    std::vector<int64_t> labels;
    int64_t covered = span.first;
    for (size_t i = 0; i < sequence.label_spans.size(); ++i) {
      const KeywordSpan& label = sequence.label_spans[i];
      if (label.first < span.second && label.second > span.first) {
        labels.push_back(static_cast<int64_t>(i));
        covered = std::max(covered, label.second);
      }
    }
    if (!labels.empty() && covered >= span.second) keywords.push_back(std::move(labels));
  }
  return keywords;
}

int64_t WeighKeywords(const std::vector<Example>& examples, std::vector<Sequence>& sequences) {
  int64_t without = 0;
  for (Sequence& sequence : sequences) {
    const auto keywords = KeywordLabels(examples.at(sequence.example), sequence);
    if (keywords.empty()) {
      ++without;
      continue;
    }
    std::ranges::fill(sequence.label_weights, 0.0f);
    for (const auto& labels : keywords) {
      for (const int64_t label : labels) sequence.label_weights[label] = 1.0f;
    }
  }
  return without;
}

}  // namespace grin
