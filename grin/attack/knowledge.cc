#include "grin/attack/knowledge.h"

#include <algorithm>
#include <cmath>

#include "grin/base/random.h"
#include "grin/data/keywords.h"
#include "grin/engine/likelihood.h"
#include "grin/metric/keyword_metrics.h"

namespace grin {

std::map<int64_t, double> KeywordAccuracies(const Model& model,
                                            const std::vector<Example>& examples,
                                            const std::vector<const Sequence*>& sequences,
                                            int64_t pass_tokens) {
  const std::vector<SequenceScores> scores =
      ScoreSequences(model, sequences, {.pass_tokens = pass_tokens, .extras = {.argmax = true}});
  std::map<int64_t, std::pair<double, double>> sums;  // of one record: found, and all keywords
  for (size_t i = 0; i < sequences.size(); ++i) {
    const Sequence& sequence = *sequences[i];
    const KeywordScore score = ScoreKeywords(examples.at(sequence.example), sequence, scores[i]);
    if (score.count == 0) continue;
    const auto count = static_cast<double>(score.count);
    auto& [found, all] = sums[sequence.example];
    // Among NaN some token comes first as well: a broken model would seem to have forgotten.
    found += (std::isnan(score.confidence) ? score.confidence : score.accuracy) * count;
    all += count;
  }
  std::map<int64_t, double> accuracies;
  for (const auto& [record, sum] : sums) accuracies[record] = sum.first / sum.second;
  return accuracies;
}

std::vector<const Sequence*> SequencesOfRecords(const std::vector<Sequence>& sequences,
                                                const std::set<int64_t>& records) {
  std::vector<const Sequence*> found;
  for (const Sequence& sequence : sequences) {
    if (records.contains(sequence.example)) found.push_back(&sequence);
  }
  return found;
}

std::vector<const Sequence*> AllSequences(const std::vector<Sequence>& sequences) {
  std::vector<const Sequence*> all;
  for (const Sequence& sequence : sequences) all.push_back(&sequence);
  return all;
}

std::vector<const Sequence*> RetainSample(const AttackInput& input) {
  const auto size = static_cast<int64_t>(input.task.retain.size());
  const int64_t limit = input.options.retain_limit;
  if (limit <= 0 || limit >= size) return AllSequences(input.task.retain_sequences);
  const std::vector<int64_t> drawn =
      DrawWithoutReplacement(RandomStream(input.seed, "attack/retain"), size, limit);
  return SequencesOfRecords(input.task.retain_sequences, {drawn.begin(), drawn.end()});
}

AttackFigure RetainFigure(const AttackInput& input, const Subject& subject, std::string name,
                          std::string label) {
  AttackFigure figure{.name = std::move(name), .label = std::move(label), .is_knowledge = false};
  figure.SetRecords(KeywordAccuracies(subject.model, input.task.retain, RetainSample(input),
                                      subject.scoring_tokens));
  return figure;
}

std::vector<int64_t> AskableRecords(const Task& task) {
  std::vector<int64_t> records;
  for (size_t i = 0; i < task.forget.size(); ++i) {
    const Example& example = task.forget[i];
    if (!example.is_text() && !KeywordSpans(example).empty()) {
      records.push_back(static_cast<int64_t>(i));
    }
  }
  return records;
}

double TokensOf(const std::vector<const Sequence*>& sequences) {
  double tokens = 0;
  for (const Sequence* sequence : sequences) tokens += static_cast<double>(sequence->tokens.size());
  return tokens;
}

int64_t AnswerTokens(const AttackInput& input) {
  if (input.options.max_new_tokens > 0) return input.options.max_new_tokens;
  size_t longest = 1;
  for (const Sequence& sequence : input.task.forget_sequences) {
    longest = std::max(longest, sequence.labels.size());
  }
  return static_cast<int64_t>(longest + (longest + 1) / 2);
}

}  // namespace grin
