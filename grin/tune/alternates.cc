#include "grin/tune/alternates.h"

#include <fmt/ranges.h>

#include <array>

#include "grin/base/error.h"
#include "grin/base/log.h"
#include "grin/base/space.h"
#include "grin/engine/generation.h"

namespace grin {
namespace {

constexpr std::array<const char*, 3> kAlternateColumns = {"alternate", "alternate_answer",
                                                          "alternate_answers"};

Example RequestOf(const Example& example) {
  Example request;
  request.prompt = fmt::format(
      "Question: {}\nAnswer: {}\n\nMake up another answer to this question. It must fit the "
      "question "
      "and leave what the question says as it is, but every fact in it must differ from the answer "
      "above, and it should be worded differently. Reply with the new answer alone.",
      example.prompt, example.response);
  request.where = example.where;
  return request;
}

// A model that goes on with a question of its own has finished its answer.
std::string AnswerIn(const std::string& generated) {
  return std::string(Trimmed(std::string_view(generated).substr(0, generated.find("Question:"))));
}

}  // namespace

std::string AlternateColumns() { return fmt::format("{}", fmt::join(kAlternateColumns, ", ")); }

std::string FindAlternateColumn(const std::vector<Example>& examples, const std::string& wanted) {
  if (wanted == "model") return {};
  if (!wanted.empty()) return wanted;
  for (const char* column : kAlternateColumns) {
    if (!examples.empty() && examples[0].fields.contains(column)) return column;
  }
  return {};
}

Alternates ReadAlternates(const std::vector<Example>& examples, const std::string& column) {
  Alternates alternates;
  for (const Example& example : examples) {
    alternates.push_back(TextsOf(example.fields, column.c_str(), example.where));
    if (alternates.back().empty()) {
      BadInput("tune",
               "{}: '{}' is missing; altpo needs an alternate answer for every record, or "
               "--alternates model",
               example.where, column);
    }
    for (const std::string& text : alternates.back()) {
      if (IsBlank(text)) BadInput("tune", "{}: '{}' is blank", example.where, column);
      if (Trimmed(text) == Trimmed(example.response)) {
        BadInput("tune", "{}: '{}' is the very answer that is to be forgotten", example.where,
                 column);
      }
    }
  }
  return alternates;
}

Alternates MakeAlternates(const Model& model, const Encoder& encoder,
                          const std::vector<Example>& examples, uint64_t seed) {
  constexpr uint64_t kTrials = 3;
  constexpr int64_t kTokens = 200, kAtOnce = 16;
  Alternates alternates(examples.size());
  std::vector<size_t> open;
  for (size_t i = 0; i < examples.size(); ++i) open.push_back(i);
  for (uint64_t trial = 0; trial < kTrials && !open.empty(); ++trial) {
    std::vector<std::vector<int32_t>> prompts;
    for (const size_t i : open) {
      prompts.push_back(encoder.EncodePrompt(RequestOf(examples[i])));
      if (static_cast<int64_t>(prompts.back().size()) >= model.config.context) {
        BadInput("tune",
                 "{}: the request for an alternate answer has {} tokens, the model's context "
                 "is {}; give answers in a column (--alternates COLUMN)",
                 examples[i].where, prompts.back().size(), model.config.context);
      }
    }
    const auto generated = Generate(model, prompts, encoder.stop_tokens(),
                                    {.max_new_tokens = kTokens,
                                     .temperature = 1,
                                     .seed = seed + (trial << 32),
                                     .batch_size = kAtOnce,
                                     .progress = "tune: alternate answers"});
    std::vector<size_t> still_open;
    for (size_t k = 0; k < open.size(); ++k) {
      const std::string answer = AnswerIn(encoder.tokenizer().Decode(generated[k].tokens, true));
      if (answer.empty() || answer == Trimmed(examples[open[k]].response)) {
        still_open.push_back(open[k]);
      } else {
        alternates[open[k]] = {answer};
      }
    }
    open = std::move(still_open);
  }
  if (open.size() == examples.size()) {
    BadInput("tune",
             "the model made up no alternate answer; give them in a column of the forget "
             "set (--alternates COLUMN)");
  }
  if (!open.empty()) {
    Warn("the model made up no alternate answer for {} of {} records, which are left out",
         open.size(), examples.size());
  }
  for (size_t i = 0; i < examples.size(); ++i) {
    if (alternates[i].empty()) continue;
    Info("tune: alternate answers, made by the model; such as for '{}': '{}'", examples[i].prompt,
         alternates[i][0]);
    break;
  }
  return alternates;
}

}  // namespace grin
