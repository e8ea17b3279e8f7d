#include "grin/engine/generation.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <optional>
#include <utility>

#include "grin/base/error.h"
#include "grin/base/interrupt.h"
#include "grin/base/progress.h"
#include "grin/base/random.h"
#include "grin/model/cpu/softmax.h"
#include "grin/model/cache.h"
#include "grin/model/cpu/greedy_head.h"
#include "grin/model/device.h"
#include "grin/ranks/deal.h"
#include "grin/ranks/ranks.h"

namespace grin {
namespace {

// Draws from softmax(logits / temperature). Nothing is cut off, so nothing is sorted.
int32_t SampleFromAll(const float* logits, int64_t count, const GenerationOptions& options,
                      double uniform) {
  const float largest = *std::max_element(logits, logits + count);
  std::vector<double> sums(count);
  double sum = 0;
  for (int64_t i = 0; i < count; ++i) {
    sums[i] = sum += std::exp((logits[i] - largest) / options.temperature);
  }
  const auto found = std::ranges::upper_bound(sums, uniform * sum);
  return static_cast<int32_t>(std::min<int64_t>(found - sums.begin(), count - 1));
}

// Draws from softmax(logits / temperature) cut to top_k and top_p.
int32_t Sample(const float* logits, int64_t count, const GenerationOptions& options,
               double uniform) {
  if (options.top_k <= 0 && options.top_p >= 1) return SampleFromAll(logits, count, options, uniform);
  std::vector<int32_t> order(count);
  std::iota(order.begin(), order.end(), 0);
  const auto likelier = [&](int32_t a, int32_t b) {
    return logits[a] != logits[b] ? logits[a] > logits[b] : a < b;
  };
  const int64_t kept = options.top_k > 0 ? std::min(options.top_k, count) : count;
  std::partial_sort(order.begin(), order.begin() + kept, order.end(), likelier);
  order.resize(kept);

  std::vector<double> probability(kept);
  double total = 0;
  for (int64_t i = 0; i < kept; ++i) {
    total += probability[i] = std::exp((logits[order[i]] - logits[order[0]]) / options.temperature);
  }
  // The nucleus: the token that crosses top_p still belongs to it.
  int64_t nucleus = 0;
  double mass = 0;
  while (nucleus < kept && (nucleus == 0 || mass < options.top_p * total)) {
    mass += probability[nucleus++];
  }
  double rest = uniform * mass;
  for (int64_t i = 0; i < nucleus; ++i) {
    if (rest < probability[i]) return order[i];
    rest -= probability[i];
  }
  return order[nucleus - 1];
}

// The number that a prompt's draws depend on.
uint64_t NumberOf(const GenerationOptions& options, size_t prompt) {
  return options.numbers.empty() ? options.first_number + prompt : options.numbers[prompt];
}

// One prompt being continued; row r of the batch lives in slot r of the cache.
struct Row {
  int64_t prompt;
  int32_t next;  // the token to feed in the coming step
};

class Batch {
 public:
  Batch(const Model& model, const std::vector<std::vector<int32_t>>& prompts,
        const std::vector<int32_t>& end_tokens, const GenerationOptions& options)
      : model_(model),
        prompts_(prompts),
        end_tokens_(end_tokens),
        options_(options),
        random_(options.seed, "generate"),
        slots_(Slots()),
        cache_(model.config, slots_, Capacity(), model.embedding.value.options()),
        results_(prompts.size()) {
    if (IsGreedy() && options.repetition_penalty == 1.0) {
      greedy_.emplace(model.head);
    } else {
      logits_.emplace(model.head);
    }
    order_.resize(prompts.size());
    std::iota(order_.begin(), order_.end(), int64_t{0});
    std::ranges::stable_sort(order_, {}, [&](int64_t i) { return prompts_[i].size(); });
  }

  std::vector<Generated> Run() {
    std::optional<Progress> progress;
    if (!options_.progress.empty()) {
      progress.emplace(options_.progress,
                       static_cast<int64_t>(prompts_.size()) * options_.max_new_tokens);
    }
    while (!rows_.empty() || !again_.empty() || started_ < prompts_.size()) {
      ThrowIfInterrupted();
      Fill();
      if (!rows_.empty()) Step();
      const int64_t more = std::exchange(done_, 0);
      if (progress) progress->Add(more);
      if (options_.on_tokens) options_.on_tokens(more);
    }
    return std::move(results_);
  }

 private:
  int64_t Capacity() const {
    size_t longest = 0;
    for (const auto& prompt : prompts_) longest = std::max(longest, prompt.size());
    const int64_t whole = static_cast<int64_t>(longest) + options_.max_new_tokens;
    if (options_.past_context && !model_.positions.defined()) return whole;
    return std::min(whole, std::max(model_.config.context, static_cast<int64_t>(longest)));
  }

  int64_t Slots() const {
    // A card does a step for many rows in about the time that it takes for few.
    const bool on_cpu = model_.weights->device().is_cpu();
    constexpr int64_t kLeast = 8, kGibibyte = int64_t{1} << 30;
    const int64_t most = on_cpu ? 128 : 512, cache_bytes = on_cpu ? kGibibyte : 8 * kGibibyte;
    const int64_t slot =
        KeyValueCache::SlotBytes(model_.config, Capacity(), model_.weights->dtype());
    int64_t rows = options_.batch_size;
    if (rows <= 0) rows = std::clamp(cache_bytes / slot, kLeast, most);
    if (options_.cache_bytes > 0) {
      if (slot > options_.cache_bytes) {
        throw Error(ErrorClass::kMemory, "eval",
                    fmt::format("keys and values of {} tokens take {:.3f} GB, the memory budget "
                                "leaves {:.3f} GB for them; lower --max-new-tokens, or raise the "
                                "budget",
                                Capacity(), static_cast<double>(slot) / 1e9,
                                static_cast<double>(options_.cache_bytes) / 1e9));
      }
      rows = std::min(rows, options_.cache_bytes / slot);
    }
    return std::min(rows, static_cast<int64_t>(prompts_.size()));
  }

  bool IsGreedy() const { return options_.temperature <= 0; }

  // The next prompt to run through the model, one that is to be run again first. Nothing where all
  // have begun, or where the pass, which has `taken` tokens, has no room for it.
  std::optional<int64_t> NextPrompt(int64_t taken) {
    const bool again = !again_.empty();
    if (!again && started_ == order_.size()) return std::nullopt;
    const int64_t prompt = again ? again_.back() : order_[started_];
    const auto tokens =
        static_cast<int64_t>(prompts_[prompt].size() + results_[prompt].tokens.size());
    if (options_.prefill_tokens > 0 && taken > 0 && taken + tokens > options_.prefill_tokens) {
      return std::nullopt;
    }
    again ? again_.pop_back() : void(++started_);
    return prompt;
  }

  // Runs new prompts, and what was already added to them, through the model until every slot is
  // taken.
  void Fill() {
    std::vector<int64_t> slots, offsets = {0}, tokens, positions;
    const auto first = static_cast<int64_t>(rows_.size());
    while (static_cast<int64_t>(rows_.size()) < slots_) {
      const std::optional<int64_t> prompt = NextPrompt(offsets.back());
      if (!prompt) break;
      slots.push_back(static_cast<int64_t>(rows_.size()));
      rows_.push_back({*prompt, 0});
      const auto& before = prompts_[*prompt];
      const auto& added = results_[*prompt].tokens;
      tokens.insert(tokens.end(), before.begin(), before.end());
      tokens.insert(tokens.end(), added.begin(), added.end());
      for (int64_t i = offsets.back(); i < static_cast<int64_t>(tokens.size()); ++i) {
        positions.push_back(i - offsets.back());
      }
      offsets.push_back(static_cast<int64_t>(tokens.size()));
    }
    if (slots.empty()) return;
    for (const int64_t slot : slots) cache_.Clear(slot);
    PrefillAttention attention(cache_, slots, offsets, model_.config);
    const at::Tensor hidden = Forward(model_, Ids(tokens), Ids(positions), attention);
    std::vector<int64_t> last;
    for (size_t s = 0; s < slots.size(); ++s) last.push_back(offsets[s + 1] - 1);
    Choose(hidden.index_select(0, Ids(last)), first);
  }

  // One token for every row.
  void Step() {
    std::vector<int64_t> tokens, positions;
    for (size_t row = 0; row < rows_.size(); ++row) {
      tokens.push_back(rows_[row].next);
      positions.push_back(cache_.length(static_cast<int64_t>(row)));
    }
    StepAttention attention(cache_, static_cast<int64_t>(rows_.size()), model_.config);
    Choose(Forward(model_, Ids(tokens), Ids(positions), attention), 0);
  }

  // `logits` fp32 [V], of the coming token of a prompt.
  void Penalise(at::Tensor logits, int64_t prompt) const {
    std::vector<int64_t> said(options_.said.begin(), options_.said.end());
    said.insert(said.end(), prompts_[prompt].begin(), prompts_[prompt].end());
    said.insert(said.end(), results_[prompt].tokens.begin(), results_[prompt].tokens.end());
    const at::Tensor ids = at::tensor(said, at::kLong);  // one that stands twice counts once
    const at::Tensor before = logits.index_select(0, ids);
    const double penalty = options_.repetition_penalty;
    logits.index_copy_(0, ids, at::where(before.lt(0), before * penalty, before / penalty));
  }

  // Picks the next token of rows first .. end from their hidden states, and lets finished ones go.
  void Choose(const at::Tensor& hidden, int64_t first) {
    const at::Tensor chosen_from =
        (greedy_ ? (*greedy_)(hidden) : (*logits_)(hidden)).cpu().contiguous();
    for (int64_t row = static_cast<int64_t>(rows_.size()) - 1; row >= first; --row) {
      Generated& result = results_[rows_[row].prompt];
      const int64_t i = row - first;
      int32_t token;
      if (greedy_) {
        token = static_cast<int32_t>(chosen_from.const_data_ptr<int64_t>()[i]);
      } else {
        const at::Tensor logits = chosen_from[i];
        if (options_.repetition_penalty != 1.0) Penalise(logits, rows_[row].prompt);
        const uint64_t number = NumberOf(options_, static_cast<size_t>(rows_[row].prompt));
        const uint64_t draw = number << 32 | result.tokens.size();
        token = IsGreedy() ? static_cast<int32_t>(ArgmaxOfRows(logits.unsqueeze(0)).item<int64_t>())
                           : Sample(logits.const_data_ptr<float>(), logits.numel(), options_,
                                    random_.Uniform(draw));
      }
      result.ended = std::ranges::count(end_tokens_, token) > 0;
      if (!result.ended) {
        result.tokens.push_back(token);
        ++done_;
      }
      rows_[row].next = token;
      const bool full = cache_.length(row) >= cache_.capacity();
      if (result.ended || full ||
          static_cast<int64_t>(result.tokens.size()) >= options_.max_new_tokens ||
          (options_.stop && options_.stop(result.tokens))) {
        const auto prompt = static_cast<size_t>(rows_[row].prompt);
        Leave(row);
        done_ += options_.max_new_tokens - static_cast<int64_t>(result.tokens.size());
        if (options_.on_finished) options_.on_finished(prompt, results_[prompt]);
      } else if (CacheIsStale(model_, cache_.length(row))) {
        again_.push_back(rows_[row].prompt);
        Leave(row);
      }
    }
  }

  // The last row takes the place of one that leaves, so that rows stay together.
  void Leave(int64_t row) {
    const auto last = static_cast<int64_t>(rows_.size()) - 1;
    cache_.Move(last, row);
    rows_[row] = rows_[last];
    rows_.pop_back();
  }

  at::Tensor Ids(const std::vector<int64_t>& values) const {
    return UploadIndices(values, model_.weights->device());
  }

  const Model& model_;
  const std::vector<std::vector<int32_t>>& prompts_;
  const std::vector<int32_t>& end_tokens_;
  const GenerationOptions& options_;
  RandomStream random_;
  int64_t slots_;
  KeyValueCache cache_;
  std::optional<GreedyHead> greedy_;  // or, where tokens are drawn:
  std::optional<LogitsBuffer> logits_;
  std::vector<Generated> results_;
  std::vector<int64_t> order_;  // prompts, the shortest first
  std::vector<Row> rows_;
  std::vector<int64_t> again_;  // prompts whose cached keys are of no more use
  size_t started_ = 0;
  int64_t done_ = 0;  // of the tokens that on_tokens counts, since it was called
};

// Continues this process's share of the prompts, and gathers what the others have.
std::vector<Generated> GenerateShared(const Model& model,
                                      const std::vector<std::vector<int32_t>>& prompts,
                                      const std::vector<int32_t>& end_tokens,
                                      const GenerationOptions& options) {
  const Ranks& ranks = *model.ranks;
  std::vector<int64_t> costs;  // of reading a prompt, and of what may be added to it
  for (const auto& prompt : prompts) {
    costs.push_back(static_cast<int64_t>(prompt.size()) / 8 + options.max_new_tokens);
  }
  const std::vector<int64_t> own = DealOut(costs, ranks.world())[ranks.rank()];
  std::vector<std::vector<int32_t>> own_prompts;
  GenerationOptions own_options = options;
  own_options.numbers.clear();
  for (const int64_t i : own) {
    own_prompts.push_back(prompts[i]);
    own_options.numbers.push_back(NumberOf(options, static_cast<size_t>(i)));
  }
  if (options.on_finished) {
    own_options.on_finished = [&](size_t at, const Generated& generated) {
      options.on_finished(static_cast<size_t>(own[at]), generated);
    };
  }
  std::vector<Generated> mine;
  if (!own.empty()) mine = Batch(model, own_prompts, end_tokens, own_options).Run();
  std::vector<Generated> all(prompts.size());
  std::vector<int32_t> numbers;  // of each prompt: which, whether it ended, how many tokens, these
  for (size_t at = 0; at < own.size(); ++at) {
    numbers.push_back(static_cast<int32_t>(own[at]));
    numbers.push_back(mine[at].ended);
    numbers.push_back(static_cast<int32_t>(mine[at].tokens.size()));
    numbers.insert(numbers.end(), mine[at].tokens.begin(), mine[at].tokens.end());
    all[own[at]] = std::move(mine[at]);
  }
  const auto gathered = ranks.Gather({reinterpret_cast<const char*>(numbers.data()),
                                      numbers.size() * sizeof(int32_t)});
  for (int64_t rank = 0; rank < ranks.world(); ++rank) {
    if (rank == ranks.rank()) continue;
    std::vector<int32_t> theirs(gathered[rank].size() / sizeof(int32_t));
    if (!theirs.empty()) std::memcpy(theirs.data(), gathered[rank].data(), gathered[rank].size());
    for (size_t i = 0; i < theirs.size();) {
      const auto prompt = static_cast<size_t>(theirs[i]);
      Generated& result = all[prompt];
      result.ended = theirs[i + 1] != 0;
      const auto begin = theirs.begin() + static_cast<int64_t>(i) + 3;
      result.tokens.assign(begin, begin + theirs[i + 2]);
      i += 3 + result.tokens.size();
      if (options.on_tokens) options.on_tokens(options.max_new_tokens);
      if (options.on_finished) options.on_finished(prompt, result);
    }
  }
  return all;
}

}  // namespace

std::vector<Generated> Generate(const Model& model,
                                const std::vector<std::vector<int32_t>>& prompts,
                                const std::vector<int32_t>& end_tokens,
                                const GenerationOptions& options) {
  for (size_t i = 0; i < prompts.size(); ++i) {
    if (prompts[i].empty()) BadInput("eval", "prompt {} has no tokens", i + 1);
    if (model.positions.defined() &&
        static_cast<int64_t>(prompts[i].size()) > model.config.context) {
      BadInput("eval", "prompt {} has {} tokens, the model has positions for {}", i + 1,
               prompts[i].size(), model.config.context);
    }
  }
  if (prompts.empty() || options.max_new_tokens <= 0) return std::vector<Generated>(prompts.size());
  at::NoGradGuard no_grad;
  if (!model.ranks->alone()) return GenerateShared(model, prompts, end_tokens, options);
  return Batch(model, prompts, end_tokens, options).Run();
}

}  // namespace grin
