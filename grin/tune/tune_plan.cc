#include "grin/tune/tune_plan.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <initializer_list>
#include <optional>

#include "grin/base/error.h"
#include "grin/base/log.h"
#include "grin/base/progress.h"
#include "grin/model/tensor_names.h"
#include "grin/tune/counting.h"
#include "grin/tune/forget_sequences.h"

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

// The retain term of an objective whose alpha is the start of a dual variable.
std::optional<DualWeight> DualOf(const Objective& forget, const ObjectiveSettings& settings) {
  if (!forget.dual_retain) return std::nullopt;
  return DualWeight{.limit = settings["retain-limit"],
                    .rate = settings["dual-rate"],
                    .warmup = settings["dual-warmup"]};
}

bool IsOneOf(std::string_view value, std::initializer_list<std::string_view> known) {
  return std::ranges::find(known, value) != known.end();
}

}  // namespace

std::vector<LossTerm> MakeTerms(const std::vector<Sequence>& forget_sequences,
                                const std::vector<Sequence>& retain_sequences,
                                const ObjectiveOptions& given, uint64_t seed,
                                bool open_unlearning) {
  const ObjectiveOptions options = Resolved(given, open_unlearning);
  const Objective& forget = FindForgetObjective(options.objective);
  const Objective& retain = FindRetainObjective(options.retain_loss);
  const auto term_of = [&](const char* name, const Objective& objective, double scale,
                           const std::vector<Sequence>& sequences) {
    LossTerm term{.name = name,
                  .objective = &objective,
                  .settings = DefaultSettings(objective),
                  .scale = scale,
                  .sequences = &sequences};
    term.settings.layer = options.layer;
    term.settings.seed = seed;
    term.settings.open_unlearning = open_unlearning;
    if (open_unlearning) term.counting = objective.open_unlearning;
    return term;
  };
  std::vector<LossTerm> terms = {term_of("forget", forget, *options.gamma, forget_sequences)};
  for (const auto& [name, value] : options.parameters) {
    terms[0].settings.parameters[name] = *value;
  }
  terms[0].per_epoch = true;
  terms[0].learned_tokens = options.forget_tokens == "learned";
  if (retain.name != "none") {
    terms.push_back(term_of("retain", retain, *options.alpha, retain_sequences));
    terms[1].guarded = true;
    terms[1].dual = DualOf(forget, terms[0].settings);
  }
  return terms;
}

void CheckObjectiveOptions(const ObjectiveOptions& given) {
  const ObjectiveOptions options = Resolved(given, false);
  const Objective& forget = FindForgetObjective(options.objective);
  const Objective& retain = FindRetainObjective(options.retain_loss);
  if (retain.on_hidden() && !forget.on_hidden()) {
    BadUsage("tune",
             "--retain-loss {} holds one layer and lets those above it go, and --objective {} trains "
             "those too; it goes with rmu, others take kl or nll",
             retain.name, forget.name);
  }
  const bool answers_otherwise =
      forget.answers == Answers::kRefusals || forget.answers == Answers::kOverRefusals;
  if (answers_otherwise && options.refusals.empty()) {
    BadUsage("tune", "--objective {} needs --refusals FILE, one refusal per line",
             options.objective);
  }
  if (!options.alternates.empty() && forget.answers != Answers::kOverAlternates) {
    BadUsage("tune", "--alternates is for --objective altpo; {} prefers no alternate answers",
             forget.name);
  }
  if (forget.dual_retain && retain.name == "none") {
    BadUsage("tune", "--objective {} weighs a retain loss; --retain-loss none leaves it none",
             forget.name);
  }
  if (!IsOneOf(options.forget_tokens, {"all", "keywords", "learned"})) {
    BadUsage("tune", "--forget-tokens '{}' is not known; it is all, keywords or learned",
             options.forget_tokens);
  }
  if (options.forget_tokens == "learned" &&
      (forget.on_hidden() || forget.answers == Answers::kRefusals ||
       forget.answers == Answers::kRefusalTargets)) {
    BadUsage("tune",
             "--forget-tokens learned weighs tokens by how unlikely the true answer has become, "
             "which --objective {} does not see; take all or keywords",
             forget.name);
  }
  if (!IsOneOf(options.keep, {"best", "last"})) {
    BadUsage("tune", "--keep '{}' is not known; it is best or last", options.keep);
  }
  const auto not_negative = [](std::string_view name, double value) {
    if (!(value >= 0)) BadUsage("tune", "--{} is {}; it must not be negative", name, value);
  };
  for (const auto& [name, value] : options.parameters) not_negative(name, *value);
  // What the loss is divided by.
  const auto beta = options.parameters.find("beta");
  const bool divides = forget.pairs() || IsOneOf(forget.name, {"npo", "simnpo"});
  if (divides && beta != options.parameters.end() && !(*beta->second > 0)) {
    BadUsage("tune", "--beta is {}; for {} it must be above 0", *beta->second, forget.name);
  }
  not_negative("gamma", *options.gamma);
  not_negative("alpha", *options.alpha);
}

TunePlan::TunePlan(const Model& model, const Task& task, const Encoder& encoder,
                   const ObjectiveOptions& options, const StepOptions& steps, uint64_t seed,
                   int64_t pass_tokens, const ForgetGradientOptions& forget)
    : model_(model),
      task_(task),
      encoder_(encoder),
      options_(Resolved(options, encoder.open_unlearning())),
      steps_(steps),
      seed_(seed),
      pass_tokens_(pass_tokens) {
  CheckStepOptions(steps);
  CheckObjectiveOptions(options_);
  CheckForgetGradientOptions(forget);
  // The true answers, whole: what one who wants them back would train on.
  forget_ = {.options = forget,
             .relearn = {.name = "relearn",
                         .objective = &FindRetainObjective("nll"),
                         .sequences = &task.forget_sequences}};
  if (FindForgetObjective(options_.objective).answers == Answers::kOverAlternates) {
    const std::string column = FindAlternateColumn(task.forget, options_.alternates);
    makes_alternates_ = column.empty();
    if (!makes_alternates_) alternates_ = ReadAlternates(task.forget, column);
  }
  if (!makes_alternates_) {
    MakeSequences();
  } else {
    for (const Example& example : task.forget) {
      if (example.is_text()) {
        BadInput("tune", "{}: plain text has no question to answer otherwise; altpo needs prompts",
                 example.where);
      }
    }
    terms_ =
        MakeTerms(sequences_, task.retain_sequences, options_, seed_, encoder.open_unlearning());
  }
  CheckSurgery(FindSurgery(forget.surgery), terms_);
  for (const LossTerm& term : terms_) {
    if (term.objective->on_hidden()) HiddenLayer(term.settings, model.config);  // there is one
  }
  if (options_.keep == "best") {
    judge_ = std::make_unique<TradeOffJudge>(model, task, seed, pass_tokens);
  }
}

// The sequences and the terms over them, once the alternate answers are known.
void TunePlan::MakeSequences() {
  const bool open_unlearning = encoder_.open_unlearning();
  sequences_ = ForgetSequences(task_, encoder_, options_, seed_, alternates_);
  terms_ = MakeTerms(sequences_, task_.retain_sequences, options_, seed_, open_unlearning);
  if (!open_unlearning) return;
  for (LossTerm& term : terms_) {
    term.batch = steps_.batch_size;
    const Counting::Rows rows = term.counting.rows;
    if (rows == Counting::Rows::kPredicting) continue;
    const std::vector<int32_t> padding = encoder_.hidden_tokens();
    if (CountsPadding(rows) && padding.empty()) {
      BadInput("tune", "--compat open-unlearning counts padding in {}, and the tokenizer has none",
               term.objective->name);
    }
    std::vector<Sequence>& own = term.sequences == &sequences_ ? sequences_ : retain_;
    own = CountRows(*term.sequences, rows, padding.empty() ? 0 : padding[0],
                    model_.head.weight.value.size(0));
    term.sequences = &own;
  }
}

Selectable SelectableOf(const Mask& mask) {
  Selectable weights;
  for (const MaskTensor& tensor : mask.tensors()) weights.emplace_back(tensor.name, tensor.count);
  return weights;
}

void TunePlan::CheckReach(const Selectable& weights) const {
  int64_t deepest = -1;
  for (const LossTerm& term : terms_) {
    if (!term.objective->on_hidden()) return;
    deepest = std::max(deepest, HiddenLayer(term.settings, model_.config));
  }
  int64_t above = 0, all = 0;
  for (const auto& [name, count] : weights) {
    all += count;
    if (PlaceOfWeight(name).layer.value_or(0) > deepest) above += count;
  }
  if (above == 0) return;
  std::vector<std::string> usual;
  for (int64_t layer = std::max<int64_t>(0, deepest - 2); layer <= deepest; ++layer) {
    usual.push_back(model_.blocks[layer].down.weight.name);
  }
  const std::string advice = fmt::format(
      "{} sees the output of layer {} and cannot train what lies above; usual is --scope {}",
      terms_[0].objective->name, deepest, fmt::join(usual, ","));
  if (above == all) {
    BadUsage("tune", "none of the {} weights that may be selected would be trained: {}", all,
             advice);
  }
  Warn("of the {} weights that may be selected {} would not be trained and keep their noise: {}",
       all, above, advice);
}

void TunePlan::Prepare() {
  if (makes_alternates_) {
    alternates_ = MakeAlternates(model_, encoder_, task_.forget, seed_);
    MakeSequences();
  }
  for (LossTerm& term : terms_) ComputeReference(model_, term, pass_tokens_);
  if (judge_) {
    judge_start_ = judge_->MeasureStart();
    judge_->SetStart(judge_start_);
  }
  prepared_ = true;
}

void TunePlan::Prepare(const StateFile& stored) {
  if (makes_alternates_) {
    try {
      alternates_ = stored.fields.at("alternates").get<Alternates>();
    } catch (const Json::exception& error) {
      BadInput("tune", "the stored alternate answers cannot be read: {}", error.what());
    }
    if (alternates_.size() != task_.forget.size()) {
      BadInput("tune", "alternate answers are stored for {} records, the forget set has {}",
               alternates_.size(), task_.forget.size());
    }
    MakeSequences();
  }
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
  if (makes_alternates_) file.fields["alternates"] = alternates_;
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
