// Asked plainly: what a model shows without any attack.

#include "grin/attack/knowledge.h"
#include "grin/attack/parts.h"
#include "grin/engine/generation.h"
#include "grin/metric/keyword_metrics.h"
#include "grin/metric/refusal.h"

namespace grin {
namespace {

void CheckPlain(const AttackInput&) {}

// Keywords in the greedy answers, and the share of answers that refuse.
std::vector<AttackFigure> GreedyFigures(const AttackInput& input, const Subject& subject) {
  const std::vector<int64_t> records = AskableRecords(input.task);
  std::vector<std::vector<int32_t>> prompts;
  for (const int64_t record : records) {
    prompts.push_back(input.encoder.EncodePrompt(input.task.forget[record]));
  }
  const std::vector<Generated> answers =
      Generate(subject.model, prompts, input.encoder.stop_tokens(),
               {.max_new_tokens = AnswerTokens(input),
                .batch_size = input.options.batch_size,
                .cache_bytes = subject.cache_bytes,
                .prefill_tokens = subject.prefill_tokens,
                .progress = "asked plainly, " + subject.role});
  AttackFigure said{.name = "plain_generated_keywords", .label = "keywords in its greedy answers"};
  AttackFigure refused{
      .name = "plain_refusals", .label = "greedy answers that refuse", .is_knowledge = false};
  std::map<int64_t, double> found, refusals;
  for (size_t i = 0; i < records.size(); ++i) {
    const std::string text = input.encoder.tokenizer().Decode(answers[i].tokens, true);
    found[records[i]] = FindKeywords(input.task.forget[records[i]], text).accuracy;
    refusals[records[i]] = IsRefusal(text);
    said.record_details[records[i]] = {{"generation", text}};
  }
  said.SetRecords(std::move(found));
  refused.SetRecords(std::move(refusals));
  return {said, refused};
}

double PlainWork(const AttackInput& input) {
  return static_cast<double>(AskableRecords(input.task).size()) *
             static_cast<double>(AnswerTokens(input)) +
         TokensOf(AllSequences(input.task.forget_sequences)) + TokensOf(RetainSample(input));
}

std::vector<AttackFigure> PlainFigures(const AttackInput& input, const Subject& subject) {
  AttackFigure accuracy{.name = "plain_keyword_accuracy",
                        .label = "keyword accuracy, the answer read along"};
  accuracy.SetRecords(KeywordAccuracies(subject.model, input.task.forget,
                                        AllSequences(input.task.forget_sequences),
                                        subject.scoring_tokens));
  std::vector<AttackFigure> figures = GreedyFigures(input, subject);
  figures.push_back(std::move(accuracy));
  figures.push_back(RetainFigure(input, subject, "plain_retain_keyword_accuracy",
                                 "keyword accuracy on the retain set"));
  return figures;
}

std::vector<AttackFigure> AskPlainly(const AttackInput& input, const Subject& subject) {
  return FiguresOfPart(subject, "all", 1, [&] { return PlainFigures(input, subject); });
}

}  // namespace

const Attack& PlainQuestions() {
  static const Attack plain = {.name = "plain",
                               .summary = "asked plainly",
                               .check = CheckPlain,
                               .run = AskPlainly,
                               .work = PlainWork,
                               .trains = false,
                               .robustness = nullptr};
  return plain;
}

}  // namespace grin
