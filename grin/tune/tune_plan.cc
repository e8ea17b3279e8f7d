#include "grin/tune/tune_plan.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "grin/base/error.h"
#include "grin/base/log.h"
#include "grin/base/progress.h"
#include "grin/base/random.h"
#include "grin/data/keywords.h"
#include "grin/io/table.h"
#include "grin/model/tensor_names.h"

namespace grin {
namespace {

Json KnowledgeJson(const StartingKnowledge& knowledge) {
  return {{"value", ExactJson(knowledge.value)}, {"keywords", knowledge.keywords}};
}

StartingKnowledge KnowledgeFrom(const Json& json) {
  return {FromExactJson(json.at("value")), json.at("keywords")};
}

// "reference/forget/logp": the name of a stored reference value.
std::string ReferencePrefix(const LossTerm& term) { return "reference/" + term.name + "/"; }

// Where no term runs the whole model: whether what is selected lies within reach of the gradient.
void CheckReach(const Model& model, const std::vector<LossTerm>& terms, Trainable& trainable) {
  int64_t deepest = -1;
  for (const LossTerm& term : terms) {
    if (!term.objective->on_hidden()) return;
    deepest = std::max(deepest, HiddenLayer(term.settings, model.config));
  }
  int64_t above = 0;
  for (const MaskedParameter& parameter : trainable.parameters()) {
    if (PlaceOfWeight(parameter.name).layer.value_or(0) > deepest) {
      above += parameter.master.numel();
    }
  }
  if (above == 0 || trainable.everything()) return;
  std::vector<std::string> usual;
  for (int64_t layer = std::max<int64_t>(0, deepest - 2); layer <= deepest; ++layer) {
    usual.push_back(model.blocks[layer].down.weight.name);
  }
  const std::string advice = fmt::format(
      "{} sees the output of layer {} and cannot train what lies above; usual is --scope {}",
      terms[0].objective->name, deepest, fmt::join(usual, ","));
  if (above == trainable.count()) {
    BadUsage("tune", "none of the {} selected weights would be trained: {}", above, advice);
  }
  Warn("{} of the {} selected weights are not trained and keep their noise: {}", above,
       trainable.count(), advice);
}

// The retain loss that is meant: the objective's own one where none is named.
std::string_view RetainNameOf(const ObjectiveOptions& options) {
  if (options.retain_loss != "auto") return options.retain_loss;
  return FindForgetObjective(options.objective).retain_default;
}

}  // namespace

std::vector<Sequence> ObjectiveSequences(const Task& task, const Encoder& encoder,
                                         const ObjectiveOptions& options, uint64_t seed) {
  if (FindForgetObjective(options.objective).uses_refusals) {
    const std::vector<std::string> refusals = ReadLines(options.refusals);
    if (refusals.empty()) BadInput("tune", "{}: has no refusals", options.refusals);
    const RandomStream random(seed, "refusals");
    std::vector<Example> answered = task.forget;
    for (size_t i = 0; i < answered.size(); ++i) {
      if (answered[i].is_text()) {
        BadInput("tune", "{}: plain text has no question to refuse; --objective {} needs prompts",
                 answered[i].where, options.objective);
      }
      answered[i].response = refusals[random.Below(i, refusals.size())];
    }
    return encoder.EncodeAll(answered);
  }
  std::vector<Sequence> sequences = task.forget_sequences;
  if (options.forget_tokens == "keywords") {
    const int64_t without = WeighKeywords(task.forget, sequences);
    if (without > 0) {
      Warn("{} of {} forget answers have no keyword and count whole", without, sequences.size());
    }
  }
  return sequences;
}

std::vector<LossTerm> MakeTerms(const std::vector<Sequence>& objective_sequences,
                                const std::vector<Sequence>& retain_sequences,
                                const ObjectiveOptions& options, uint64_t seed) {
  const Objective& forget = FindForgetObjective(options.objective);
  const Objective& retain = FindRetainObjective(RetainNameOf(options));
  ObjectiveSettings settings = forget.defaults;
  if (options.beta > 0) settings.beta = options.beta;
  if (options.delta != 0) settings.delta = options.delta;
  if (options.steering > 0) settings.steering = options.steering;
  settings.layer = options.layer;
  settings.seed = seed;
  ObjectiveSettings retain_settings = retain.defaults;
  retain_settings.layer = options.layer;
  std::vector<LossTerm> terms = {{.name = "forget",
                                  .objective = &forget,
                                  .settings = settings,
                                  .scale = options.gamma,
                                  .sequences = &objective_sequences,
                                  .per_epoch = true}};
  if (forget.retain_default != "none" && retain.name != "none") {
    terms.push_back({.name = "retain",
                     .objective = &retain,
                     .settings = retain_settings,
                     .scale = options.alpha,
                     .sequences = &retain_sequences,
                     .guarded = true});
  }
  return terms;
}

void CheckObjectiveOptions(const ObjectiveOptions& options) {
  const Objective& forget = FindForgetObjective(options.objective);
  const Objective& retain = FindRetainObjective(RetainNameOf(options));
  if (retain.on_hidden() && !forget.on_hidden()) {
    BadUsage("tune",
             "--retain-loss {} holds one layer and lets those above it go, and --objective {} trains "
             "those too; it goes with rmu, others take kl or nll",
             retain.name, forget.name);
  }
  if (forget.uses_refusals && options.refusals.empty()) {
    BadUsage("tune", "--objective {} needs --refusals FILE, one refusal per line",
             options.objective);
  }
  if (options.forget_tokens != "all" && options.forget_tokens != "keywords") {
    BadUsage("tune", "--forget-tokens '{}' is not known; it is all or keywords",
             options.forget_tokens);
  }
  if (options.keep != "best" && options.keep != "last") {
    BadUsage("tune", "--keep '{}' is not known; it is best or last", options.keep);
  }
  const auto not_negative = [](const char* name, double value) {
    if (!(value >= 0)) BadUsage("tune", "--{} is {}; it must not be negative", name, value);
  };
  not_negative("beta", options.beta);
  not_negative("gamma", options.gamma);
  not_negative("alpha", options.alpha);
  not_negative("steering", options.steering);
}

TunePlan::TunePlan(const Model& model, const Task& task, const Encoder& encoder,
                   const ObjectiveOptions& options, const StepOptions& steps, uint64_t seed,
                   int64_t pass_tokens, const ForgetGradientOptions& forget)
    : model_(model), steps_(steps), seed_(seed), pass_tokens_(pass_tokens) {
  CheckStepOptions(steps);
  CheckObjectiveOptions(options);
  CheckForgetGradientOptions(forget);
  // The true answers, whole: what one who wants them back would train on.
  forget_ = {.options = forget,
             .relearn = {.name = "relearn",
                         .objective = &FindRetainObjective("nll"),
                         .sequences = &task.forget_sequences}};
  sequences_ = ObjectiveSequences(task, encoder, options, seed);
  terms_ = MakeTerms(sequences_, task.retain_sequences, options, seed);
  CheckSurgery(FindSurgery(forget.surgery), terms_);
  for (const LossTerm& term : terms_) {
    if (term.objective->on_hidden()) HiddenLayer(term.settings, model.config);  // there is one
  }
  if (options.keep == "best") {
    judge_ = std::make_unique<TradeOffJudge>(model, task, seed, pass_tokens);
  }
}

void TunePlan::Prepare() {
  for (LossTerm& term : terms_) ComputeReference(model_, term, pass_tokens_);
  if (judge_) {
    judge_start_ = judge_->MeasureStart();
    judge_->SetStart(judge_start_);
  }
  prepared_ = true;
}

void TunePlan::Prepare(const StateFile& stored) {
  for (LossTerm& term : terms_) {
    ReferenceTensors reference;
    const std::string prefix = ReferencePrefix(term);
    for (const auto& [name, tensor] : stored.tensors) {
      if (name.starts_with(prefix)) reference[name.substr(prefix.size())] = tensor;
    }
    LoadReference(term, reference);
  }
  if (judge_) {
    try {
      const Json& start = stored.fields.at("judge");
      judge_start_ = {KnowledgeFrom(start.at("forget")), KnowledgeFrom(start.at("retain"))};
    } catch (const Json::exception& error) {
      BadInput("tune", "the stored start of the judge cannot be read: {}", error.what());
    }
    judge_->SetStart(judge_start_);
  }
  prepared_ = true;
}

StateFile TunePlan::Prepared() const {
  StateFile file;
  if (judge_) {
    file.fields["judge"] = {{"forget", KnowledgeJson(judge_start_.forget)},
                            {"retain", KnowledgeJson(judge_start_.retain)}};
  }
  for (const LossTerm& term : terms_) {
    for (const auto& [name, tensor] : StoreReference(term)) {
      file.tensors[ReferencePrefix(term) + name] = tensor;
    }
  }
  return file;
}

TuneReport TunePlan::Run(Trainable& trainable, TuneHooks hooks) const {
  if (!prepared_) Defect("tune", "a plan runs before it was prepared on the untouched model");
  CheckReach(model_, terms_, trainable);
  Judge judge;
  if (judge_) judge.measure = [this] { return judge_->Measure(); };
  TuneReport report =
      Tune(model_, trainable, terms_, steps_, seed_, pass_tokens_, judge, std::move(hooks), forget_);
  Info("tune: {} steps in {}, {} tokens; kept the state after step {}", report.steps,
       FormatDuration(report.seconds), report.tokens, report.kept_step);
  return report;
}

TuneReport Finetune(const Model& model, Trainable& trainable,
                    const std::vector<Sequence>& sequences, const StepOptions& steps,
                    uint64_t seed, int64_t pass_tokens, TuneHooks hooks) {
  const std::vector<LossTerm> terms = {{.name = "data",
                                        .objective = &FindRetainObjective("nll"),
                                        .sequences = &sequences,
                                        .per_epoch = true,
                                        .guarded = true}};
  return Tune(model, trainable, terms, steps, seed, pass_tokens, {}, std::move(hooks));
}

}  // namespace grin
