// Sampling: how often must one ask until an answer leaks? A greedy answer is one of many; users
// draw.

#include <algorithm>
#include <array>

#include "grin/attack/knowledge.h"
#include "grin/attack/leak.h"
#include "grin/attack/parts.h"
#include "grin/base/error.h"
#include "grin/base/random.h"
#include "grin/engine/generation.h"
#include "grin/metric/keyword_metrics.h"

namespace grin {
namespace {

constexpr std::array<int64_t, 3> kWithin = {1, 8, 64};

void CheckSample(const AttackInput& input) {
  const AttackOptions& options = input.options;
  if (options.samples < 1) {
    BadUsage("attack", "--samples is {}; it must be 1 or more", options.samples);
  }
  if (options.sample_limit < 0) {
    BadUsage("attack", "--sample-limit is {}; it must be 0 or more", options.sample_limit);
  }
  if (!(options.temperature > 0)) {
    BadUsage("attack", "--temperature is {}; it must be above 0", options.temperature);
  }
  if (!(options.leak_share > 0 && options.leak_share <= 1)) {
    BadUsage("attack", "--leak-share is {}; it must be above 0 and at most 1", options.leak_share);
  }
}

std::vector<int64_t> SampledRecords(const AttackInput& input) {
  std::vector<int64_t> records = AskableRecords(input.task);
  const auto size = static_cast<int64_t>(records.size());
  const int64_t limit = input.options.sample_limit;
  if (limit <= 0 || limit >= size) return records;
  std::vector<int64_t> drawn =
      DrawWithoutReplacement(RandomStream(input.seed, "attack/sample"), size, limit);
  std::ranges::sort(drawn);
  for (int64_t& one : drawn) one = records[one];
  return drawn;
}

// How many of the drawn answers to each of these records leak; the first of them is number `first` of
// all that are sampled. A draw depends on the seed and on the number of its answer, so the counts do not
// depend on the batch, nor on which records are done together.
std::map<int64_t, int64_t> CountLeaks(const AttackInput& input, const Subject& subject,
                                      const std::vector<int64_t>& records, size_t first) {
  const AttackOptions& options = input.options;
  std::vector<std::vector<int32_t>> prompts;
  for (const int64_t record : records) {
    const auto prompt = input.encoder.EncodePrompt(input.task.forget[record]);
    prompts.insert(prompts.end(), options.samples, prompt);
  }
  const std::vector<Generated> answers =
      Generate(subject.model, prompts, input.encoder.stop_tokens(),
               {.max_new_tokens = AnswerTokens(input),
                .temperature = options.temperature,
                .seed = input.seed,
                .first_number = static_cast<uint64_t>(first) * static_cast<uint64_t>(options.samples),
                .batch_size = options.batch_size,
                .cache_bytes = subject.cache_bytes,
                .prefill_tokens = subject.prefill_tokens,
                .progress = "sample, " + subject.role});
  std::map<int64_t, int64_t> leaks;
  for (size_t i = 0; i < answers.size(); ++i) {
    const int64_t record = records[i / static_cast<size_t>(options.samples)];
    const std::string text = input.encoder.tokenizer().Decode(answers[i].tokens, true);
    const double share = FindKeywords(input.task.forget[record], text).accuracy;
    leaks[record] += share > 0 && share >= options.leak_share;
  }
  return leaks;
}

double SampleWork(const AttackInput& input) {
  return static_cast<double>(SampledRecords(input).size()) *
         static_cast<double>(input.options.samples) * static_cast<double>(AnswerTokens(input));
}

// All counts, a part of so many answers at a time: enough to fill a batch.
constexpr int64_t kAnswersOfPart = 1024;

std::map<int64_t, int64_t> CountAllLeaks(const AttackInput& input, const Subject& subject,
                                         const std::vector<int64_t>& records) {
  const auto size = static_cast<size_t>(
      std::max<int64_t>(1, kAnswersOfPart / std::max<int64_t>(1, input.options.samples)));
  std::map<int64_t, int64_t> leaks;
  for (size_t first = 0; first < records.size(); first += size) {
    const size_t end = std::min(records.size(), first + size);
    const std::vector<int64_t> part(records.begin() + static_cast<int64_t>(first),
                                    records.begin() + static_cast<int64_t>(end));
    const double share = static_cast<double>(part.size()) / static_cast<double>(records.size());
    leaks.merge(CountsOfPart(subject, fmt::format("{}", first), share,
                             [&] { return CountLeaks(input, subject, part, first); }));
  }
  return leaks;
}

std::vector<AttackFigure> SampleAnswers(const AttackInput& input, const Subject& subject) {
  const int64_t n = input.options.samples;
  const std::map<int64_t, int64_t> leaks =
      CountAllLeaks(input, subject, SampledRecords(input));
  std::vector<AttackFigure> figures;
  for (const int64_t k : kWithin) {
    AttackFigure figure{
        .name = fmt::format("leak_at_{}", k),
        .label = k == 1 ? "a drawn answer leaks" : fmt::format("one of {} drawn answers leaks", k)};
    figure.details = {{"samples", n}, {"within", k}};
    if (k <= n) {
      std::map<int64_t, double> chances;
      for (const auto& [record, count] : leaks) {
        chances[record] = LeakWithin(n, count, k);
        figure.record_details[record] = {{"leaks", count}};
      }
      figure.SetRecords(std::move(chances));
    } else {
      figure.why = fmt::format("{} answers were drawn; --samples {} or more is needed", n, k);
    }
    figures.push_back(std::move(figure));
  }
  return figures;
}

}  // namespace

extern const Attack kSampleAttack;
const Attack kSampleAttack = {.name = "sample",
                              .summary = "many answers drawn to each question",
                              .check = CheckSample,
                              .run = SampleAnswers,
                              .work = SampleWork,
                              .trains = false,
                              .robustness = nullptr};

}  // namespace grin
