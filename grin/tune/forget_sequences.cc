#include "grin/tune/forget_sequences.h"

#include <algorithm>
#include <map>

#include "grin/base/error.h"
#include "grin/base/log.h"
#include "grin/base/random.h"
#include "grin/data/keywords.h"
#include "grin/io/table.h"

namespace grin {
namespace {

// What jensun's authors let a model say.
constexpr const char* kUsualRefusal = "No idea";

// An answer to a forget example other than the true one.
struct OtherAnswer {
  size_t example = 0;
  std::string text;
};

void CheckPrompts(const std::vector<Example>& examples, const ObjectiveOptions& options) {
  for (const Example& example : examples) {
    if (!example.is_text()) continue;
    BadInput("tune",
             "{}: plain text has no question to answer otherwise; --objective {} needs prompts",
             example.where, options.objective);
  }
}

std::vector<OtherAnswer> DrawRefusals(const Task& task, const ObjectiveOptions& options,
                                      uint64_t seed) {
  std::vector<std::string> refusals = {kUsualRefusal};
  if (!options.refusals.empty()) refusals = ReadLines(options.refusals);
  if (refusals.empty()) BadInput("tune", "{}: has no refusals", options.refusals);
  const RandomStream random(seed, "refusals");
  std::vector<OtherAnswer> answers;
  for (size_t i = 0; i < task.forget.size(); ++i) {
    answers.push_back({i, refusals[random.Below(i, refusals.size())]});
  }
  return answers;
}

// Sequences that say these; `example` of each is the number of its answer.
std::vector<Sequence> SequencesOfAnswers(const Task& task, const Encoder& encoder,
                                         const std::vector<OtherAnswer>& answers) {
  std::vector<Example> answered;
  for (const OtherAnswer& answer : answers) {
    answered.push_back(task.forget[answer.example]);
    answered.back().response = answer.text;
  }
  return encoder.EncodeAll(answered);
}

// The answers that are to be forgotten, weighed.
std::vector<Sequence> TrueSequences(const Task& task, const ObjectiveOptions& options) {
  std::vector<Sequence> sequences = task.forget_sequences;
  if (options.forget_tokens == "keywords") {
    const int64_t without = WeighKeywords(task.forget, sequences);
    if (without > 0) {
      Warn("{} of {} forget answers have no keyword and count whole", without, sequences.size());
    }
  }
  // An answer that would have no weight left keeps what it has.
  const auto skip = options.parameters.find("skip-tokens");
  const auto skipped = skip == options.parameters.end() ? 0 : static_cast<size_t>(*skip->second);
  for (Sequence& sequence : sequences) {
    std::vector<float>& weights = sequence.label_weights;
    const size_t count = std::min(skipped, weights.size());
    const bool left = std::any_of(weights.begin() + static_cast<int64_t>(count), weights.end(),
                                  [](float weight) { return weight > 0; });
    if (left) std::fill_n(weights.begin(), count, 0.0f);
  }
  return sequences;
}

// Each true answer beside another one: the one, the other, and so on.
std::vector<Sequence> Pairs(const Task& task, const Encoder& encoder,
                            const ObjectiveOptions& options,
                            const std::vector<OtherAnswer>& answers) {
  std::map<size_t, Sequence> forgotten;
  for (Sequence& sequence : TrueSequences(task, options)) {
    forgotten[static_cast<size_t>(sequence.example)] = std::move(sequence);
  }
  std::vector<Sequence> pairs;
  for (Sequence& preferred : SequencesOfAnswers(task, encoder, answers)) {
    const size_t example = answers[preferred.example].example;
    const auto found = forgotten.find(example);
    if (found == forgotten.end()) continue;  // cut off, and warned of
    pairs.push_back(found->second);
    preferred.example = static_cast<int64_t>(example);
    pairs.push_back(std::move(preferred));
  }
  if (pairs.empty()) BadInput("tune", "no record of the forget set has both answers left");
  return pairs;
}

// The true answers are read, and a refusal's tokens are predicted over and over.
std::vector<Sequence> RefusalTargets(const Task& task, const Encoder& encoder,
                                     const ObjectiveOptions& options,
                                     const std::vector<OtherAnswer>& answers) {
  std::vector<Sequence> sequences = TrueSequences(task, options);
  for (Sequence& sequence : sequences) {
    const std::string& refusal = answers[sequence.example].text;
    const std::vector<int32_t> tokens = encoder.tokenizer().Encode(refusal, false).ids;
    if (tokens.empty()) BadInput("tune", "the refusal '{}' has no tokens", refusal);
    for (size_t i = 0; i < sequence.labels.size(); ++i) {
      sequence.targets.push_back(tokens[i % tokens.size()]);
    }
  }
  return sequences;
}

}  // namespace

std::vector<Sequence> ForgetSequences(const Task& task, const Encoder& encoder,
                                      const ObjectiveOptions& options, uint64_t seed,
                                      const Alternates& alternates) {
  const Answers answers = FindForgetObjective(options.objective).answers;
  if (answers == Answers::kTrue) return TrueSequences(task, options);
  if (answers != Answers::kRefusalTargets) CheckPrompts(task.forget, options);
  if (answers == Answers::kOverAlternates) {
    std::vector<OtherAnswer> others;
    for (size_t i = 0; i < alternates.size(); ++i) {
      for (const std::string& text : alternates[i]) others.push_back({i, text});
    }
    return Pairs(task, encoder, options, others);
  }
  const std::vector<OtherAnswer> refusals = DrawRefusals(task, options, seed);
  if (answers == Answers::kRefusals) return SequencesOfAnswers(task, encoder, refusals);
  if (answers == Answers::kOverRefusals) return Pairs(task, encoder, options, refusals);
  return RefusalTargets(task, encoder, options, refusals);
}

}  // namespace grin
