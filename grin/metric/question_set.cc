#include "grin/metric/question_set.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "grin/base/error.h"
#include "grin/base/space.h"
#include "grin/data/cut_warnings.h"
#include "grin/engine/spaces.h"

namespace grin {
namespace {

// The true answer as the generation metrics see it. OpenUnlearning takes the decoded prompt out of
// the decoded whole, which leaves the prompt in where a tokenizer decodes the two differently.
std::string Truth(const Encoder& encoder, const Question& question, const Sequence& whole) {
  if (!encoder.open_unlearning()) return question.example.response;
  std::string text = CleanSpaces(encoder.tokenizer().Decode(whole.tokens, true));
  if (question.input.empty()) return std::string(Trimmed(text, kPythonSpace));
  for (size_t at; (at = text.find(question.input)) != std::string::npos;) {
    text.erase(at, question.input.size());
  }
  return std::string(Trimmed(text, kPythonSpace));
}

// A text that may go on: only OpenUnlearning's has what a tokenizer puts behind every text.
std::vector<int32_t> OpenText(const Encoder& encoder, const std::string& text) {
  const Tokenizer& tokenizer = encoder.tokenizer();
  if (encoder.open_unlearning()) return tokenizer.Encode(text, /*add_special_tokens=*/true).ids;
  return tokenizer.EncodeBeginning(text).ids;
}

// Said before any engine has run, since generation comes last.
void CheckPrompt(const std::vector<int32_t>& prompt, int64_t positions, const std::string& where) {
  if (prompt.empty()) BadInput("eval", "{}: the prompt has no tokens", where);
  if (positions > 0 && static_cast<int64_t>(prompt.size()) > positions) {
    BadInput("eval", "{}: the prompt has {} tokens, the model has positions for {}", where,
             prompt.size(), positions);
  }
}

}  // namespace

double ScoredAnswer::MeanNll() const {
  const std::vector<float>& logp = scores.serial.empty() ? scores.logp : scores.serial;
  if (logp.empty()) return std::numeric_limits<double>::quiet_NaN();
  return -std::accumulate(logp.begin(), logp.end(), 0.0) / static_cast<double>(logp.size());
}

Phrasing InTemplate(const Encoder& encoder) {
  return {.answer =
              [&encoder](const Example& example, const std::string& response) {
                return encoder.Encode({.prompt = example.prompt,
                                       .response = response,
                                       .turns = example.turns,
                                       .where = example.where});
              },
          .prompt = [&encoder](const Example& example) { return encoder.EncodePrompt(example); },
          .closes = true,
          .longest = encoder.longest_example()};
}

Phrasing AsPlainText(const Encoder& encoder, int64_t max_length, int64_t positions) {
  return {
      .answer =
          [&encoder, max_length, positions](const Example& example, const std::string& response) {
            const size_t prompt = OpenText(encoder, example.prompt).size();
            Sequence sequence;
            sequence.where = example.where;
            sequence.tokens = OpenText(encoder, example.prompt + response);
            const size_t wanted =
                std::min(sequence.tokens.size(), prompt + static_cast<size_t>(max_length));
            sequence.truncated = positions > 0 && wanted > static_cast<size_t>(positions);
            sequence.tokens.resize(sequence.truncated ? static_cast<size_t>(positions) : wanted);
            for (size_t i = std::max<size_t>(prompt, 1); i < sequence.tokens.size(); ++i) {
              sequence.labels.push_back(static_cast<int32_t>(i));
            }
            sequence.label_spans.assign(sequence.labels.size(), {0, 0});
            sequence.label_weights.assign(sequence.labels.size(), 1.0f);
            return sequence;
          },
      .prompt = [&encoder](const Example& example) { return OpenText(encoder, example.prompt); },
      .closes = false,
      .longest = positions};
}

AskedSet::AskedSet(EvalPlan& plan, const Encoder& encoder, std::string name,
                   std::vector<Example> examples, unsigned needs, const AskOptions& options)
    : encoder_(encoder),
      name_(std::move(name)),
      needs_(needs),
      phrasing_(options.phrasing.answer ? options.phrasing : InTemplate(encoder)),
      questions_(examples.size()),
      asked_(examples.size()) {
  std::vector<std::vector<int32_t>> prompts(examples.size());
  at::parallel_for(0, static_cast<int64_t>(examples.size()), 8, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      Question& question = questions_[i];
      question.example = std::move(examples[i]);
      const Example& example = question.example;
      question.answer = Encode(example, example.response);
      if (needs & kParaphrase) {
        const auto texts = TextsOf(example.fields, "paraphrased_answer", example.where);
        if (!texts.empty()) question.paraphrase = Encode(example, texts.front());
      }
      if (needs & kWrong) {
        for (const std::string& text : TextsOf(example.fields, "perturbed_answer", example.where)) {
          question.wrong.push_back(Encode(example, text));
        }
      }
      if (needs & (kContinuation | kToxicity)) {
        prompts[i] = phrasing_.prompt(example);
        question.input = CleanSpaces(encoder.tokenizer().Decode(prompts[i], true));
        question.truth = Truth(encoder, question, question.answer->sequence);
      }
    }
  });
  const ScoreExtras plain = PlainExtras();
  ScoreExtras of_answers = plain;
  of_answers.argmax = (needs & kArgmax) != 0;
  of_answers.moments = (needs & kMoments) != 0;
  for (size_t i = 0; i < questions_.size(); ++i) {
    const Question& question = questions_[i];
    Asked& asked = asked_[i];
    if (needs & kAnswer) {
      asked.answer = plan.Score(question.answer->sequence, of_answers);
    }
    if (question.paraphrase) asked.paraphrase = plan.Score(question.paraphrase->sequence, plain);
    for (const ScoredAnswer& wrong : question.wrong) {
      asked.wrong.push_back(plan.Score(wrong.sequence, plain));
    }
    if (needs & (kContinuation | kToxicity)) {
      CheckPrompt(prompts[i], options.positions, question.example.where);
      asked.continuation = plan.Continue(prompts[i], options.how);
    }
    if (needs & kGradientNorm) {
      Sequence bare = question.answer->sequence;
      const auto kept = static_cast<size_t>(question.answer->answer_labels);
      bare.labels.resize(kept);
      bare.label_spans.resize(kept);
      bare.label_weights.resize(kept);
      asked.gradient_norm = plan.GradientNorm(bare);
    }
  }
  WarnOfCuts();
}

// Of the sequences that are asked for.
void AskedSet::WarnOfCuts() const {
  std::vector<const Sequence*> sequences;
  for (const Question& question : questions_) {
    if (needs_ & (kAnswer | kGradientNorm)) sequences.push_back(&question.answer->sequence);
    if (question.paraphrase) sequences.push_back(&question.paraphrase->sequence);
    for (const ScoredAnswer& wrong : question.wrong) sequences.push_back(&wrong.sequence);
  }
  const size_t all = sequences.size();
  const auto count = [&] { return static_cast<int64_t>(sequences.size()); };
  std::erase_if(sequences, [](const Sequence* sequence) { return !sequence->truncated; });
  if (sequences.empty()) return;
  WarnOfCut(count(), all, phrasing_.longest, sequences.front()->where, name_);
  std::erase_if(sequences, [](const Sequence* sequence) { return !sequence->labels.empty(); });
  if (sequences.empty()) return;
  WarnOfLost(count(), phrasing_.longest, sequences.front()->where, name_);
}

ScoredAnswer AskedSet::Encode(const Example& example, const std::string& response) const {
  ScoredAnswer answer{.sequence = phrasing_.answer(example, response)};
  const Sequence& sequence = answer.sequence;
  auto labels = static_cast<int64_t>(sequence.labels.size());
  if (encoder_.open_unlearning()) {
    labels -= labels > 0;  // OpenUnlearning leaves out the last label, whatever it is
  } else {
    while (labels > 0 && sequence.label_spans[labels - 1].first < 0) --labels;
  }
  answer.answer_labels = labels;
  return answer;
}

// What every answer is scored with: losses that are compared with OpenUnlearning's need its sums.
ScoreExtras AskedSet::PlainExtras() const { return {.serial = encoder_.open_unlearning()}; }

void AskedSet::AskReference(EvalPlan& plan) {
  reference_asked_ = true;
  for (size_t i = 0; i < questions_.size(); ++i) {
    asked_[i].reference = plan.Score(questions_[i].answer->sequence, PlainExtras());
  }
}

QuestionSet AskedSet::Collect(const EngineResults& results, const EngineResults* reference) const {
  QuestionSet set{.name = name_, .questions = questions_, .encoder = &encoder_};
  for (size_t i = 0; i < questions_.size(); ++i) {
    Question& question = set.questions[i];
    const Asked& asked = asked_[i];
    if (needs_ & kAnswer) question.answer->scores = results.scores[asked.answer];
    if (question.paraphrase) question.paraphrase->scores = results.scores[asked.paraphrase];
    for (size_t w = 0; w < question.wrong.size(); ++w) {
      question.wrong[w].scores = results.scores[asked.wrong[w]];
    }
    if (needs_ & (kContinuation | kToxicity)) {
      question.continuation = CleanSpaces(results.continuations[asked.continuation]);
    }
    if (needs_ & kGradientNorm)
      question.gradient_norm = results.gradient_norms[asked.gradient_norm];
    if (reference && reference_asked_) {
      ScoredAnswer other{.sequence = {}, .scores = reference->scores[asked.reference]};
      question.reference_nll = other.MeanNll();
    }
  }
  return set;
}

}  // namespace grin
