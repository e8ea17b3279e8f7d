#include "grin/tune/counting.h"

#include <algorithm>
#include <numeric>

#include "grin/base/error.h"

namespace grin {
namespace {

// OpenUnlearning's mark of a token that is no label, which it also takes as an index.
constexpr int64_t kNoLabel = -100;

void LabelRow(Sequence& sequence, int32_t label, float weight, std::pair<int64_t, int64_t> span) {
  sequence.labels.push_back(label);
  sequence.label_weights.push_back(weight);
  sequence.label_spans.push_back(span);
}

void ClearLabels(Sequence& sequence) {
  sequence.labels.clear();
  sequence.label_weights.clear();
  sequence.label_spans.clear();
}

// A token that is predicted only, so that the row of the last one can have a label.
void EndWithARowLabelled(Sequence& sequence) {
  sequence.tokens.push_back(0);
  sequence.unread = 1;
}

Sequence WithRowsOfLabels(const Sequence& original) {
  Sequence sequence = original;
  ClearLabels(sequence);
  for (size_t i = 0; i < original.labels.size(); ++i) {
    LabelRow(sequence, original.labels[i] + 1, original.label_weights[i], original.label_spans[i]);
  }
  if (sequence.labels.back() == sequence.length()) EndWithARowLabelled(sequence);
  return sequence;
}

Sequence WithEveryRow(const Sequence& original, bool last_too, int32_t padding, int64_t longest,
                      int64_t vocabulary) {
  Sequence sequence = original;
  ClearLabels(sequence);
  sequence.tokens.resize(longest, padding);
  sequence.unseen_token = padding;
  sequence.filled_from = original.length();
  if (last_too) {
    EndWithARowLabelled(sequence);
  } else {
    sequence.targets.assign(longest - 1, static_cast<int32_t>(vocabulary + kNoLabel));
    for (const int32_t label : original.labels) {
      sequence.targets[label - 1] = original.tokens[label];
    }
  }
  for (int32_t label = 1; label < sequence.length(); ++label) {
    LabelRow(sequence, label, 1, {-1, -1});
  }
  return sequence;
}

// As long as the longest of its batch, of `longest` tokens before the filling.
Sequence CutTo(const Sequence& filled, int64_t longest) {
  Sequence sequence = filled;
  const int64_t rows = longest - 1 + filled.unread;
  sequence.tokens.resize(longest);
  if (filled.unread > 0) sequence.tokens.push_back(filled.tokens.back());
  sequence.labels.resize(rows);
  sequence.label_weights.resize(rows);
  sequence.label_spans.resize(rows);
  if (!sequence.targets.empty()) sequence.targets.resize(rows);
  return sequence;
}

double TotalWeight(const Sequence& sequence) {  // T_i
  return std::accumulate(sequence.label_weights.begin(), sequence.label_weights.end(), 0.0);
}

// The shares of a batch's units in its mean.
std::vector<double> SharesOfBatch(Counting::Mean mean,
                                  std::span<const std::vector<const Sequence*>> units,
                                  int64_t width) {
  const auto count = static_cast<double>(units.size());
  std::vector<double> shares(units.size(), 1 / count);
  if (mean == Counting::Mean::kSequences) return shares;
  std::vector<double> totals;
  for (const auto& unit : units) totals.push_back(TotalWeight(*unit[0]));
  double factor = 0;
  if (mean == Counting::Mean::kTokens) {
    factor = 1 / std::accumulate(totals.begin(), totals.end(), 0.0);
  } else {
    for (const double total : totals) factor += 1 / total;
    factor /= count * count * static_cast<double>(width);
  }
  for (size_t i = 0; i < shares.size(); ++i) shares[i] = factor * totals[i];
  return shares;
}

}  // namespace

bool CountsPadding(Counting::Rows rows) {
  return rows == Counting::Rows::kAll || rows == Counting::Rows::kAllButLast;
}

std::vector<Sequence> CountRows(const std::vector<Sequence>& sequences, Counting::Rows rows,
                                int32_t padding, int64_t vocabulary) {
  if (rows == Counting::Rows::kPredicting) return sequences;
  if (rows == Counting::Rows::kAllButLast && vocabulary + kNoLabel < 0) {
    BadInput("tune",
             "the model has {} tokens, and OpenUnlearning's code takes the index -100 of them; "
             "leave out --compat",
             vocabulary);
  }
  int64_t longest = 0;
  for (const Sequence& sequence : sequences) longest = std::max(longest, sequence.length());
  std::vector<Sequence> counted;
  for (const Sequence& sequence : sequences) {
    counted.push_back(
        rows == Counting::Rows::kOfLabels
            ? WithRowsOfLabels(sequence)
            : WithEveryRow(sequence, rows == Counting::Rows::kAll, padding, longest, vocabulary));
  }
  return counted;
}

StepUnits UnitsOfStep(const LossTerm& term, std::span<const int64_t> drawn, int64_t width) {
  const auto count = static_cast<int64_t>(drawn.size());
  const int64_t batch = term.batch > 0 ? std::min(term.batch, count) : count;
  const int64_t batches = (count + batch - 1) / batch;
  const bool cuts = CountsPadding(term.counting.rows);
  StepUnits step;
  if (cuts) step.cut.reserve(count * term.unit());  // pointed to
  for (int64_t begin = 0; begin < count; begin += batch) {
    const auto of_batch = drawn.subspan(begin, std::min(batch, count - begin));
    const auto sequences_of = [&](int64_t unit) {
      return std::span(*term.sequences).subspan(unit * term.unit(), term.unit());
    };
    int64_t longest = 0;
    for (const int64_t unit : of_batch) {
      for (const Sequence& s : sequences_of(unit)) longest = std::max(longest, s.filled_from);
    }
    const size_t first = step.sequences.size();
    for (const int64_t unit : of_batch) {
      std::vector<const Sequence*>& members = step.sequences.emplace_back();
      for (const Sequence& s : sequences_of(unit)) {
        members.push_back(cuts ? &step.cut.emplace_back(CutTo(s, longest)) : &s);
      }
    }
    for (const double share :
         SharesOfBatch(term.counting.mean, std::span(step.sequences).subspan(first), width)) {
      step.shares.push_back(share / static_cast<double>(batches));
    }
  }
  return step;
}

}  // namespace grin
