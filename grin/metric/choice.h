#pragma once
// Multiple-choice questions as lm-evaluation-harness asks them: the letter of highest
// log-probability behind "Answer:".

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "grin/base/json.h"
#include "grin/engine/plan.h"
#include "grin/io/table.h"

namespace grin {

struct ChoiceQuestion {
  std::string question;
  std::vector<std::string> choices;  // 2 to 26
  int64_t answer = 0;                // index
};

// A record {question, choices, answer: index or letter}. Error (bad input) naming the record.
ChoiceQuestion ParseChoiceQuestion(const Record& record);

// "Q\nA. ..\nB. ..\nAnswer:", and with the right letter behind it for a worked example.
std::string ChoiceText(const ChoiceQuestion& question);
std::string WorkedExample(const ChoiceQuestion& question);

// {"agg_value": share of the scores (0 or 1), "stderr": as the harness has it, null for one
// question}. Not measured where a score is NaN, that of a question without log-probabilities.
Json Accuracy(const std::vector<double>& scores);

class AskedChoices {
 public:
  // Asks for each letter behind `header` + the question's text. The whole is tokenised as one
  // string; what the context cannot hold is cut from its left, as the harness does. Where a letter
  // melts into the prompt's last token, the letters of that question are scored from the last
  // token on that all have before them; the harness stops there.
  AskedChoices(EvalPlan& plan, const Encoder& encoder, int64_t context, const std::string& header,
               std::vector<ChoiceQuestion> questions);

  // {"agg_value": accuracy, "stderr", "value_by_index": {"0": {"score", "choice", "answer",
  // "logprobs"}}}; score and choice are null for a question without finite log-probabilities. Not
  // measured where the tokenizer cannot tell two letters of a question apart.
  Json Result(const EngineResults& engines) const;

  size_t size() const { return questions_.size(); }

 private:
  std::vector<ChoiceQuestion> questions_;
  std::vector<std::vector<size_t>> asked_;  // per question and letter
  std::string unread_letters_;              // why some letters cannot be told apart; empty: all can
};

}  // namespace grin
