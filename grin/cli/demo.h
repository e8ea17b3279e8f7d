#pragma once
// The parts of `grin demo`: what a model is measured by, and the table that is printed.

#include <string>
#include <vector>

#include "grin/data/encode.h"
#include "grin/metric/keyword_metrics.h"
#include "grin/model/decoder.h"
#include "grin/run/options.h"

namespace grin {

struct DemoSet {
  std::string name;  // "forget", "retain", "general"
  std::vector<Example> examples;
  std::vector<Sequence> sequences;
};

struct DemoScores {
  SetScores scores;
  double generated_accuracy = 0;  // keywords found in the greedy answers
  double repetition = 0;          // mean repetition rate of the greedy answers
  std::vector<std::string> answers;
};

// A model's scores on each set.
struct DemoColumn {
  std::string name;  // "before", "after", "never taught"
  std::vector<DemoScores> sets;
};

// Scores the model on every set and lets it answer every question greedily.
DemoColumn MeasureColumn(const std::string& name, const Model& model, const Encoder& encoder,
                         const std::vector<DemoSet>& sets, const ComputeOptions& compute);

Json ToJson(const DemoColumn& column, const std::vector<DemoSet>& sets);

// The table of metrics by set, one column per model; `after` may hold one column per seed, shown as
// mean and spread (lowest .. highest).
std::string FormatTable(const std::vector<DemoSet>& sets, const DemoColumn& before,
                        const std::vector<DemoColumn>& after, const DemoColumn& never);

// Four answers side by side: two of people forgotten, one kept, one of general knowledge.
std::string FormatAnswers(const std::vector<DemoSet>& sets, const DemoColumn& before,
                          const DemoColumn& after, const DemoColumn& never);

// Whether the aim was met by the mean over seeds, in words: forget keyword accuracy within .05 of
// never taught, retain and general within .05 of before.
std::string FormatVerdict(const std::vector<DemoSet>& sets, const DemoColumn& before,
                          const std::vector<DemoColumn>& after, const DemoColumn& never);

}  // namespace grin
