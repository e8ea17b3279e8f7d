#pragma once
// Questions with what a model made of them: what metrics are functions of.

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "grin/data/encode.h"
#include "grin/data/example.h"
#include "grin/engine/plan.h"

namespace grin {

// An answer under teacher forcing.
struct ScoredAnswer {
  Sequence sequence;
  SequenceScores scores;      // at the sequence's labels
  int64_t answer_labels = 0;  // the first of them: without the end token
  bool empty() const { return sequence.labels.empty(); }
  double MeanNll() const;  // over all labels, end token included; NaN when empty
};

struct Question {
  Example example;
  std::optional<ScoredAnswer> answer, paraphrase;
  std::vector<ScoredAnswer> wrong;         // perturbed answers
  std::string input, truth, continuation;  // texts of the generation metrics
  std::optional<double> gradient_norm;
  std::optional<double> toxicity;       // of the continuation
  std::optional<double> reference_nll;  // MeanNll of the answer under the reference model
};

struct QuestionSet {
  std::string name;
  std::vector<Question> questions;
  const Encoder* encoder = nullptr;
};

// What a metric has to know about every question, to be combined with |.
enum Need : unsigned {
  kAnswer = 1,
  kParaphrase = 2,
  kWrong = 4,
  kContinuation = 8,
  kArgmax = 16,
  kMoments = 32,
  kGradientNorm = 64,
  kToxicity = 128,
  kReference = 256,
};

// How records become token ids.
struct Phrasing {
  std::function<Sequence(const Example&, const std::string& response)> answer;
  std::function<std::vector<int32_t>(const Example&)> prompt;  // what is to be continued
  bool closes = true;   // whether an answer's last label is its end token
  int64_t longest = 0;  // sequences are cut behind so many tokens, and marked
};

// The encoder's template.
Phrasing InTemplate(const Encoder& encoder);

// Prompt and response as one plain text without template and end token, at most `max_length` tokens
// behind the prompt: continuations of running text (MUSE, RealToxicityPrompts). `positions`: as for
// AskOptions; a sequence that they cut is marked.
Phrasing AsPlainText(const Encoder& encoder, int64_t max_length, int64_t positions);

struct AskOptions {
  ContinueOptions how;
  Phrasing phrasing;  // default: the encoder's template
  int64_t positions = 0;  // tokens that a model with learned positions reads at most; 0: no bound
};

// A set that has been asked of a plan. The encoder must outlive it.
class AskedSet {
 public:
  // Encodes and asks for everything in `needs`. The paraphrase is the record's
  // `paraphrased_answer`, wrong answers are its `perturbed_answer`; where a record has none, a
  // metric on them leaves it out. Sequences that lost their end are counted in a warning. Error (bad
  // input) naming the record whose prompt is empty or longer than the positions.
  AskedSet(EvalPlan& plan, const Encoder& encoder, std::string name, std::vector<Example> examples,
           unsigned needs, const AskOptions& options = {});

  // Asks another plan for the answers alone: that of the reference model.
  void AskReference(EvalPlan& plan);

  // With what the engines found; `reference` where another plan was asked.
  QuestionSet Collect(const EngineResults& results, const EngineResults* reference = nullptr) const;

  const std::string& name() const { return name_; }
  size_t size() const { return questions_.size(); }

 private:
  struct Asked {
    size_t answer = 0, paraphrase = 0, continuation = 0, gradient_norm = 0, reference = 0;
    std::vector<size_t> wrong;
  };

  ScoreExtras PlainExtras() const;
  ScoredAnswer Encode(const Example& example, const std::string& response) const;
  void WarnOfCuts() const;

  const Encoder& encoder_;
  std::string name_;
  unsigned needs_;
  Phrasing phrasing_;
  std::vector<Question> questions_;
  std::vector<Asked> asked_;
  bool reference_asked_ = false;
};

}  // namespace grin
