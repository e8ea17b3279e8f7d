#include "grin/engine/plan.h"

#include <algorithm>
#include <limits>
#include <string_view>

#include "grin/base/digest.h"
#include "grin/base/interrupt.h"
#include "grin/base/log.h"
#include "grin/base/progress.h"
#include "grin/base/space.h"
#include "grin/engine/engine_cache.h"
#include "grin/engine/generation.h"
#include "grin/engine/gradient_norm.h"
#include "grin/engine/spaces.h"
#include "grin/ranks/deal.h"
#include "grin/ranks/ranks.h"

namespace grin {
namespace {

void Append(std::string& bytes, const std::vector<int32_t>& values) {
  const auto count = static_cast<int64_t>(values.size());
  bytes.append(reinterpret_cast<const char*>(&count), sizeof count);
  bytes.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(int32_t));
}

std::string Request(char kind, const Sequence& sequence) {
  std::string bytes(1, kind);
  Append(bytes, sequence.tokens);
  Append(bytes, sequence.labels);
  if (sequence.unseen_token >= 0) bytes += fmt::format("unseen {}", sequence.unseen_token);
  return bytes;
}

std::string Request(const std::vector<int32_t>& prompt, const ContinueOptions& options) {
  std::string bytes = "continue";
  Append(bytes, prompt);
  bytes += fmt::format("{}", options.max_new_tokens);
  for (const std::string& stop : options.stop) bytes.append(1, '\0').append(stop);
  return bytes;
}

// Half of a SHA-256: in a cache of millions two short fingerprints could collide.
std::string CacheKey(const std::string& request) {
  Sha256 digest;
  digest.Add(request);
  return digest.Finish().substr(0, 32);
}

Json ToJson(const SequenceScores& scores) {
  Json json = {{"logp", scores.logp}};
  if (!scores.argmax.empty()) json["argmax"] = scores.argmax;
  if (!scores.mean.empty()) json["mean"] = scores.mean, json["variance"] = scores.variance;
  if (!scores.serial.empty()) json["serial"] = scores.serial;
  return json;
}

// A number that was written as JSON, which has no NaN and writes null for it.
double NumberOf(const Json& json) {
  return json.is_null() ? std::numeric_limits<double>::quiet_NaN() : json.get<double>();
}

// Empty where there is no such member.
std::vector<float> FloatsOf(const Json& json, const char* key) {
  std::vector<float> values;
  const auto found = json.find(key);
  if (found == json.end()) return values;
  for (const Json& value : *found) values.push_back(static_cast<float>(NumberOf(value)));
  return values;
}

SequenceScores FromJson(const Json& json) {
  return {.logp = FloatsOf(json, "logp"),
          .argmax = json.value("argmax", std::vector<int32_t>{}),
          .mean = FloatsOf(json, "mean"),
          .variance = FloatsOf(json, "variance"),
          .serial = FloatsOf(json, "serial")};
}

int64_t LongestTokens(const std::vector<Sequence>& sequences) {
  int64_t longest = 0;
  for (const Sequence& sequence : sequences) longest = std::max(longest, sequence.length());
  return longest;
}

// Where the first of the stop strings begins; npos when none occurs.
size_t FindStop(const std::string& text, const std::vector<std::string>& stop) {
  size_t first = std::string::npos;
  for (const std::string& word : stop) first = std::min(first, text.find(word));
  return first;
}

}  // namespace

size_t EvalPlan::Score(const Sequence& sequence, const ScoreExtras& extras) {
  const auto [found, fresh] = seen_.try_emplace(Request('s', sequence), sequences_.size());
  if (fresh) {
    sequences_.push_back(sequence);
    extras_.emplace_back();
  }
  ScoreExtras& wanted = extras_[found->second];
  wanted.argmax |= extras.argmax;
  wanted.moments |= extras.moments;
  wanted.serial |= extras.serial;
  return found->second;
}

size_t EvalPlan::Continue(const std::vector<int32_t>& prompt, const ContinueOptions& options) {
  const auto [found, fresh] = seen_.try_emplace(Request(prompt, options), prompts_.size());
  if (fresh) prompts_.push_back({prompt, options});
  return found->second;
}

size_t EvalPlan::GradientNorm(const Sequence& sequence) {
  const auto [found, fresh] = seen_.try_emplace(Request('g', sequence), gradient_sequences_.size());
  if (fresh) gradient_sequences_.push_back(sequence);
  return found->second;
}

int64_t EvalPlan::longest() const { return LongestTokens(sequences_); }

int64_t EvalPlan::longest_gradient() const { return LongestTokens(gradient_sequences_); }

void EvalPlan::Score(const Model& model, const EngineOptions& options, EngineCache& cache,
                     EngineResults& results) const {
  const auto key = [&](size_t i) {
    const auto [argmax, moments, serial] = extras_[i];
    return CacheKey(fmt::format("{}{}{}", argmax, moments, serial) + Request('s', sequences_[i]));
  };
  results.scores.resize(sequences_.size());
  std::map<ScoreExtras, std::vector<size_t>> alike;  // extras cost time: only where they are wanted
  int64_t tokens = 0;
  for (size_t i = 0; i < sequences_.size(); ++i) {
    if (const Json* known = cache.Find(key(i))) {
      results.scores[i] = FromJson(*known);
    } else if (!sequences_[i].labels.empty()) {
      alike[extras_[i]].push_back(i);
      tokens += sequences_[i].length();
    }
  }
  if (alike.empty()) return;
  Progress progress("likelihood", tokens);
  for (const auto& [extras, numbers] : alike) {
    std::vector<const Sequence*> open;
    for (const size_t i : numbers) open.push_back(&sequences_[i]);
    ScoreSequences(model, open,
                   {.pass_tokens = options.pass_tokens,
                    .extras = extras,
                    .on_scored = [&](size_t at, const SequenceScores& scores) {
                      progress.Add(open[at]->length());
                      results.scores[numbers[at]] = scores;
                      cache.Add(key(numbers[at]), ToJson(scores));
                    }});
  }
}

void EvalPlan::Continue(const Model& model, const Encoder& encoder, const EngineOptions& options,
                        EngineCache& cache, EngineResults& results) const {
  const auto key = [&](size_t i) {
    return CacheKey(Request(prompts_[i].tokens, prompts_[i].options));
  };
  results.continuations.resize(prompts_.size());
  std::map<ContinueOptions, std::vector<size_t>> alike;
  int64_t tokens = 0;
  for (size_t i = 0; i < prompts_.size(); ++i) {
    if (const Json* known = cache.Find(key(i))) {
      results.continuations[i] = known->get<std::string>();
    } else {
      alike[prompts_[i].options].push_back(i);
      tokens += prompts_[i].options.max_new_tokens;
    }
  }
  if (alike.empty()) return;
  const auto decode = [&](std::span<const int32_t> tokens) {
    return encoder.tokenizer().Decode(tokens, /*skip_special_tokens=*/true);
  };
  Progress progress("generation", tokens);
  for (const auto& [how, numbers] : alike) {
    std::vector<std::vector<int32_t>> prompts;
    for (const size_t i : numbers) prompts.push_back(prompts_[i].tokens);
    GenerationOptions generation{.max_new_tokens = how.max_new_tokens,
                                 .repetition_penalty = encoder.repetition_penalty(),
                                 .said = encoder.hidden_tokens(),
                                 .batch_size = options.batch_size,
                                 .cache_bytes = options.cache_bytes,
                                 .prefill_tokens = options.prefill_tokens,
                                 .past_context = true,
                                 .on_tokens = [&](int64_t more) { progress.Add(more); }};
    if (!how.stop.empty()) {
      generation.stop = [&](std::span<const int32_t> tokens) {
        return FindStop(decode(tokens), how.stop) != std::string::npos;
      };
    }
    generation.on_finished = [&](size_t at, const Generated& generated) {
      std::string text = decode(generated.tokens);
      text = std::string(Trimmed(text.substr(0, FindStop(text, how.stop)), kPythonSpace));
      cache.Add(key(numbers[at]), text);
      results.continuations[numbers[at]] = std::move(text);
    };
    Generate(model, prompts, encoder.stop_tokens(), generation);
  }
}

void EvalPlan::GradientNorm(const Model& model, EngineCache& cache, EngineResults& results) const {
  if (gradient_sequences_.empty()) return;
  const Ranks& ranks = *model.ranks;
  const auto key = [&](size_t i) { return CacheKey(Request('g', gradient_sequences_[i])); };
  results.gradient_norms.resize(gradient_sequences_.size());
  std::vector<size_t> open;
  std::vector<int64_t> costs;
  for (size_t i = 0; i < gradient_sequences_.size(); ++i) {
    if (const Json* known = cache.Find(key(i))) {
      results.gradient_norms[i] = NumberOf(*known);
    } else {
      open.push_back(i);
      costs.push_back(gradient_sequences_[i].length());
    }
  }
  const auto own = DealOut(costs, ranks.world())[ranks.rank()];
  Progress progress("gradient norms", static_cast<int64_t>(own.size()));
  at::Tensor norms = at::zeros({static_cast<int64_t>(open.size())}, at::kDouble);
  for (const int64_t i : own) {
    ThrowIfInterrupted();
    norms[i] = grin::GradientNorm(model, gradient_sequences_[open[i]]);
    if (ranks.alone()) cache.Add(key(open[i]), norms[i].item<double>());
    progress.Add(1);
  }
  if (open.empty()) return;
  norms = ranks.GatherRows(norms).sum(0);  // each is 0 but in one process
  for (size_t i = 0; i < open.size(); ++i) {
    results.gradient_norms[open[i]] = norms[static_cast<int64_t>(i)].item<double>();
    if (!ranks.alone()) cache.Add(key(open[i]), results.gradient_norms[open[i]]);
  }
}

EngineResults EvalPlan::Run(const Model& model, const Encoder& encoder,
                            const EngineOptions& options) const {
  EngineResults results;
  const Ranks& ranks = *model.ranks;
  // Rank 0 has the file. All must know the same answers, as they share out the others.
  EngineCache cache(ranks.first() ? options.cache : std::filesystem::path(), options.cache_key);
  if (!ranks.alone()) cache.Take(ranks.Broadcast(ranks.first() ? cache.Written() : ""));
  if (cache.size() > 0) Info("{} answers found in {}", cache.size(), options.cache.string());
  Score(model, options, cache, results);
  Continue(model, encoder, options, cache, results);
  GradientNorm(model, cache, results);
  return results;
}

}  // namespace grin
