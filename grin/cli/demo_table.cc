#include <algorithm>
#include <cmath>

#include "grin/cli/demo.h"
#include "grin/engine/generation.h"
#include "grin/run/budget.h"
#include "grin/run/workspace.h"

namespace grin {
namespace {

struct DemoRow {
  const char* name;
  double (*value)(const DemoScores&);
};

constexpr DemoRow kRows[] = {
    {"answer probability", [](const DemoScores& s) { return s.scores.probability; }},
    {"keyword accuracy", [](const DemoScores& s) { return s.scores.keyword_accuracy; }},
    {"keyword confidence", [](const DemoScores& s) { return s.scores.keyword_confidence; }},
    {"keywords in answers", [](const DemoScores& s) { return s.generated_accuracy; }},
    {"repetition rate", [](const DemoScores& s) { return s.repetition; }}};

constexpr const DemoRow& kKeywordAccuracy = kRows[1];

std::vector<double> ValuesOf(const DemoRow& row, const std::vector<DemoColumn>& columns, size_t set) {
  std::vector<double> values;
  for (const DemoColumn& column : columns) values.push_back(row.value(column.sets[set]));
  return values;
}

double MeanOf(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

std::string OneLine(std::string text) {
  std::ranges::replace(text, '\n', ' ');
  constexpr size_t kLongest = 100;
  if (text.size() > kLongest) {
    size_t end = kLongest;
    while (end > 0 && (text[end] & 0xC0) == 0x80) --end;  // not inside a character
    text = text.substr(0, end) + "...";
  }
  return text;
}

}  // namespace

DemoColumn MeasureColumn(const std::string& name, const Model& model, const Encoder& encoder,
                         const std::vector<DemoSet>& sets, const ComputeOptions& compute) {
  DemoColumn column{.name = name, .sets = {}};
  std::vector<std::vector<int32_t>> prompts;
  for (const DemoSet& set : sets) {
    for (const Example& example : set.examples)
      prompts.push_back(encoder.EncodePrompt(example.prompt));
  }
  const GenerationBudget budget = BudgetGeneration(model, compute);
  const auto generated = Generate(model, prompts, encoder.stop_tokens(),
                                  {.max_new_tokens = 40,
                                   .cache_bytes = budget.cache_bytes,
                                   .prefill_tokens = budget.prefill_tokens,
                                   .progress = name + ": answers"});
  size_t next = 0;
  for (const DemoSet& set : sets) {
    DemoScores result;
    result.scores =
        AverageScores(set.examples, set.sequences,
                      ScoreSequences(model, set.sequences,
                                     {.pass_tokens = ScoringPassTokens(model, compute, 0,
                                                                       LongestOf(set.sequences)),
                                      .extras = {.argmax = true},
                                      .progress = name + ": scores"}));
    for (const Example& example : set.examples) {
      const std::string answer = encoder.tokenizer().Decode(generated[next++].tokens, true);
      result.generated_accuracy += FindKeywords(example, answer).accuracy;
      result.repetition += RepetitionRate(answer);
      result.answers.push_back(answer);
    }
    result.generated_accuracy /= static_cast<double>(set.examples.size());
    result.repetition /= static_cast<double>(set.examples.size());
    column.sets.push_back(std::move(result));
  }
  return column;
}

Json ToJson(const DemoColumn& column, const std::vector<DemoSet>& sets) {
  Json json = Json::object();
  for (size_t s = 0; s < sets.size(); ++s) {
    for (const DemoRow& row : kRows) json[sets[s].name][row.name] = row.value(column.sets[s]);
    json[sets[s].name]["answers"] = column.sets[s].answers;
  }
  return json;
}

std::string FormatTable(const std::vector<DemoSet>& sets, const DemoColumn& before,
                        const std::vector<DemoColumn>& after, const DemoColumn& never) {
  std::string text = fmt::format("{:<10}{:<22}{:>8}{:>8}{:>16}{:>14}\n", "", "", before.name,
                                 "after", after.size() > 1 ? "(over seeds)" : "", never.name);
  for (size_t s = 0; s < sets.size(); ++s) {
    for (const DemoRow& row : kRows) {
      const auto values = ValuesOf(row, after, s);
      const auto [low, high] = std::ranges::minmax(values);
      const std::string spread =
          after.size() > 1 ? fmt::format("{:.2f} .. {:.2f}", low, high) : std::string();
      text += fmt::format("{:<10}{:<22}{:>8.2f}{:>8.2f}{:>16}{:>14.2f}\n",
                          &row == kRows ? sets[s].name : "", row.name, row.value(before.sets[s]),
                          MeanOf(values), spread, row.value(never.sets[s]));
    }
  }
  return text;
}

std::string FormatAnswers(const std::vector<DemoSet>& sets, const DemoColumn& before,
                          const DemoColumn& after, const DemoColumn& never) {
  struct Sample {
    size_t set, example;
  };
  std::string text;
  for (const Sample& sample : {Sample{0, 2}, Sample{0, 9}, Sample{1, 2}, Sample{2, 0}}) {
    const DemoSet& set = sets[sample.set];
    if (sample.example >= set.examples.size()) continue;
    text += fmt::format("[{}] {}\n", set.name, set.examples[sample.example].prompt);
    text += fmt::format("  {:<13}{}\n", "truth", set.examples[sample.example].response);
    for (const DemoColumn* column : {&before, &after, &never}) {
      text += fmt::format("  {:<13}{}\n", column->name,
                          OneLine(column->sets[sample.set].answers[sample.example]));
    }
  }
  return text;
}

std::string FormatVerdict(const std::vector<DemoSet>& sets, const DemoColumn& before,
                          const std::vector<DemoColumn>& after, const DemoColumn& never) {
  constexpr double kTolerance = 0.05;
  std::string text;
  for (size_t s = 0; s < sets.size(); ++s) {
    const double reached = MeanOf(ValuesOf(kKeywordAccuracy, after, s));
    const bool forget = s == 0;
    const double aim = kKeywordAccuracy.value((forget ? never : before).sets[s]);
    const bool met = forget ? std::abs(reached - aim) <= kTolerance : reached >= aim - kTolerance;
    text += fmt::format("  {:<8} keyword accuracy {:.2f}, aim {} {:.2f} ({}): {}\n", sets[s].name,
                        reached, forget ? "within .05 of" : "at most .05 below", aim,
                        forget ? never.name : before.name, met ? "reached" : "not reached");
  }
  return text;
}

}  // namespace grin
