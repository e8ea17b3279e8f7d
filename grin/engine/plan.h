#pragma once
// What an evaluation asks of a model, and what the engines answered. Metrics ask for sequences and
// continuations; whatever is asked twice is computed once.

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "grin/data/encode.h"
#include "grin/engine/likelihood.h"
#include "grin/model/decoder.h"

namespace grin {

class EngineCache;

struct ContinueOptions {
  int64_t max_new_tokens = 200;
  std::vector<std::string> stop;  // the text ends before the first of these

  bool operator<(const ContinueOptions& other) const {
    return std::tie(max_new_tokens, stop) < std::tie(other.max_new_tokens, other.stop);
  }
};

// Answers to what a plan asked, by the numbers that it gave out.
struct EngineResults {
  std::vector<SequenceScores> scores;
  std::vector<std::string> continuations;  // decoded, special tokens left out, cut, trimmed
  std::vector<double> gradient_norms;
};

struct EngineOptions {
  int64_t pass_tokens = 4096;   // of the likelihood engine
  int64_t batch_size = 0;       // of the generation engine; 0: by memory
  int64_t cache_bytes = 0;      // of the generation engine, see GenerationOptions; 0: no limit
  int64_t prefill_tokens = 0;   // likewise
  std::filesystem::path cache;  // finished answers, for a run that goes on; none when empty
  std::string cache_key;        // what the answers depend on besides the request: model, type
};

class EvalPlan {
 public:
  // Asks for the log-probabilities of a sequence's labels, and for `extras`. A sequence without
  // labels is allowed. Whoever asks for it again may ask for more.
  size_t Score(const Sequence& sequence, const ScoreExtras& extras = {});

  // Asks for a greedy continuation of a prompt.
  size_t Continue(const std::vector<int32_t>& prompt, const ContinueOptions& options = {});

  // Asks for the mean over the weights of the L2 norm of the gradient of the labels' mean NLL.
  size_t GradientNorm(const Sequence& sequence);

  size_t sequences() const { return sequences_.size(); }
  size_t prompts() const { return prompts_.size(); }
  // Tokens of the longest sequence, and of the longest that is asked for a gradient; 0 without one.
  int64_t longest() const;
  int64_t longest_gradient() const;

  // Runs each engine once. What `options.cache` holds already is not computed again, and what is
  // finished is added there at once. Error (interrupted) after Ctrl-C.
  EngineResults Run(const Model& model, const Encoder& encoder,
                    const EngineOptions& options = {}) const;

 private:
  struct Prompt {
    std::vector<int32_t> tokens;
    ContinueOptions options;
  };

  // Scores every sequence that is not in the cache yet.
  void Score(const Model& model, const EngineOptions& options, EngineCache& cache,
             EngineResults& results) const;

  // Continues every prompt that is not in the cache yet.
  void Continue(const Model& model, const Encoder& encoder, const EngineOptions& options,
                EngineCache& cache, EngineResults& results) const;

  // Takes every gradient norm that is not in the cache yet.
  void GradientNorm(const Model& model, EngineCache& cache, EngineResults& results) const;

  std::vector<Sequence> sequences_, gradient_sequences_;
  std::vector<ScoreExtras> extras_;  // of sequences_
  std::vector<Prompt> prompts_;
  std::map<std::string, size_t> seen_;  // request as bytes -> its number
};

}  // namespace grin
