#include "grin/metric/choice.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>

#include "grin/base/error.h"
#include "grin/base/space.h"
#include "grin/engine/spaces.h"
#include "grin/metric/metric.h"
#include "grin/metric/statistics.h"

namespace grin {
namespace {

constexpr size_t kMostChoices = 26;

std::string Letter(size_t index) { return std::string(1, static_cast<char>('A' + index)); }

size_t CommonPrefix(const std::vector<int32_t>& a, const std::vector<int32_t>& b) {
  return static_cast<size_t>(std::ranges::mismatch(a, b).in1 - a.begin());
}

// Labels from `first` on; the left is cut so that what is read fits the context.
Sequence LetterSequence(std::vector<int32_t> tokens, size_t first, int64_t context) {
  Sequence sequence;
  sequence.tokens = std::move(tokens);
  // The last token is predicted and not read, so one more than the context fits.
  const int64_t cut = std::max<int64_t>(0, sequence.length() - (context + 1));
  const int64_t begin = std::max<int64_t>(static_cast<int64_t>(first) - cut, 1);
  sequence.tokens.erase(sequence.tokens.begin(), sequence.tokens.begin() + cut);
  for (int64_t i = begin; i < sequence.length(); ++i) {
    sequence.labels.push_back(static_cast<int32_t>(i));
  }
  sequence.label_spans.assign(sequence.labels.size(), {-1, -1});
  sequence.label_weights.assign(sequence.labels.size(), 1.0f);
  sequence.unread = 1;
  return sequence;
}

// Where the letters begin: behind the prompt's tokens, or earlier where a letter melts into the
// prompt's end (": A" as one token). Then that end is scored too, for every letter: they remain
// probabilities of the same text but for the letter.
size_t FirstOfLetters(const std::vector<int32_t>& prompt,
                      const std::vector<std::vector<int32_t>>& wholes) {
  size_t first = prompt.size();
  for (const std::vector<int32_t>& whole : wholes) {
    first = std::min(first, CommonPrefix(prompt, whole));
  }
  return first;
}

// Why a tokenizer cannot tell letters of a question apart; empty where it can.
std::string AlikeLetters(const std::vector<int32_t>& prompt,
                         const std::vector<std::vector<int32_t>>& wholes) {
  for (auto whole = wholes.begin(); whole != wholes.end(); ++whole) {
    const std::string letter = Letter(whole - wholes.begin());
    if (*whole == prompt)
      return fmt::format("the tokenizer has no token for the letter {}", letter);
    const auto same = std::find(wholes.begin(), whole, *whole);
    if (same == whole) continue;
    return fmt::format("the tokenizer gives the letters {} and {} the same tokens",
                       Letter(same - wholes.begin()), letter);
  }
  return "";
}

// The choice of highest log-probability, the earlier of equal ones; nothing where one is NaN or
// none is finite: the first would then seem chosen, and a broken model to be guessing.
std::optional<int64_t> Chosen(const std::vector<double>& logprobs) {
  const auto highest = std::ranges::max_element(logprobs);
  const bool ordered =
      std::ranges::none_of(logprobs, [](double logprob) { return std::isnan(logprob); });
  if (!ordered || !std::isfinite(*highest)) return std::nullopt;
  return highest - logprobs.begin();
}

}  // namespace

ChoiceQuestion ParseChoiceQuestion(const Record& record) {
  ChoiceQuestion question;
  const auto text = record.fields.find("question"), choices = record.fields.find("choices"),
             answer = record.fields.find("answer");
  const auto end = record.fields.end();
  if (text == end || !text->is_string() || choices == end || !choices->is_array() ||
      answer == end) {
    BadInput("eval",
             "{}: a multiple-choice record needs 'question' (text), 'choices' (a list) and "
             "'answer' (an index or a letter)",
             record.Where());
  }
  question.question = text->get<std::string>();
  for (const Json& choice : *choices) {
    question.choices.push_back(choice.is_string() ? choice.get<std::string>() : choice.dump());
  }
  if (answer->is_number_integer()) {
    question.answer = answer->get<int64_t>();
  } else if (answer->is_string() && answer->get<std::string>().size() == 1) {
    question.answer = answer->get<std::string>()[0] - 'A';
  } else {
    question.answer = -1;
  }
  if (question.choices.size() < 2 || question.choices.size() > kMostChoices ||
      question.answer < 0 || question.answer >= static_cast<int64_t>(question.choices.size())) {
    BadInput("eval",
             "{}: 'answer' is {} of {} choices; it must be an index from 0 or a letter from A",
             record.Where(), answer->dump(), question.choices.size());
  }
  return question;
}

std::string ChoiceText(const ChoiceQuestion& question) {
  std::string text = std::string(Trimmed(question.question, kPythonSpace)) + "\n";
  for (size_t c = 0; c < question.choices.size(); ++c) {
    text += Letter(c) + ". " + question.choices[c] + "\n";
  }
  return text + "Answer:";
}

std::string WorkedExample(const ChoiceQuestion& question) {
  return ChoiceText(question) + " " + Letter(question.answer) + "\n\n";
}

Json Accuracy(const std::vector<double>& scores) {
  const auto lost = std::ranges::count_if(scores, [](double score) { return std::isnan(score); });
  if (lost > 0) {
    return NotMeasured(
        fmt::format("{} of {} questions have no finite log-probabilities", lost, scores.size()));
  }
  const double share = Mean(scores);
  // Of n - 1: the harness divides the sample's own deviation.
  const auto trials = static_cast<int64_t>(scores.size()) - 1;
  return {{"agg_value", share},
          {"stderr", trials > 0 ? Json(StandardErrorOfProportion(share, trials)) : Json(nullptr)}};
}

AskedChoices::AskedChoices(EvalPlan& plan, const Encoder& encoder, int64_t context,
                           const std::string& header, std::vector<ChoiceQuestion> questions)
    : questions_(std::move(questions)) {
  const auto encode = [&](const std::string& text) {
    return encoder.tokenizer().EncodeBeginning(text).ids;
  };
  for (const ChoiceQuestion& question : questions_) {
    const std::string text = header + ChoiceText(question);
    const std::vector<int32_t> prompt = encode(text);
    std::vector<std::vector<int32_t>> wholes;
    for (size_t c = 0; c < question.choices.size(); ++c) {
      wholes.push_back(encode(text + " " + Letter(c)));
    }
    const std::string alike = AlikeLetters(prompt, wholes);
    if (unread_letters_.empty()) unread_letters_ = alike;
    const size_t first = FirstOfLetters(prompt, wholes);
    asked_.emplace_back();
    for (std::vector<int32_t>& whole : wholes) {
      const size_t begin = alike.empty() ? first : whole.size();  // nothing to score
      asked_.back().push_back(plan.Score(LetterSequence(std::move(whole), begin, context)));
    }
  }
}

Json AskedChoices::Result(const EngineResults& engines) const {
  ByIndex values;
  for (size_t i = 0; i < questions_.size(); ++i) {
    std::vector<double> logprobs;
    for (const size_t number : asked_[i]) {
      const std::vector<float>& logp = engines.scores[number].logp;
      const double sum = std::accumulate(logp.begin(), logp.end(), 0.0);
      logprobs.push_back(logp.empty() ? std::nan("")
                                      : sum);  // over no tokens it would be certainty
    }
    const std::optional<int64_t> choice = Chosen(logprobs);
    const int score = choice == questions_[i].answer ? 1 : 0;
    values.Add(i,
               {{"score", choice ? Json(score) : Json(nullptr)},
                {"choice", choice ? Json(*choice) : Json(nullptr)},
                {"answer", questions_[i].answer},
                {"logprobs", logprobs}},
               choice ? score : std::nan(""));
  }
  Json result = values.Result();
  result.update(Accuracy(values.values()));
  if (!unread_letters_.empty()) result["not_measured"] = unread_letters_;
  return result;
}

}  // namespace grin
