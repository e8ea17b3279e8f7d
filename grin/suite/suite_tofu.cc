// TOFU (Maini et al. 2024, arXiv 2401.06121): 200 invented authors, of whom some are forgotten.

#include <algorithm>
#include <cmath>
#include <set>

#include "grin/base/error.h"
#include "grin/base/hash.h"
#include "grin/base/log.h"
#include "grin/metric/kolmogorov_smirnov.h"
#include "grin/metric/membership.h"
#include "grin/metric/metric_set.h"
#include "grin/metric/statistics.h"
#include "grin/suite/aggregate.h"
#include "grin/suite/compared_questions.h"
#include "grin/suite/results.h"
#include "grin/suite/suite.h"
#include "grin/suite/suite_data.h"

namespace grin {
namespace {

namespace fs = std::filesystem;

struct TofuSet {
  std::string name;                // in results
  std::vector<std::string> stems;  // of its file
  std::vector<NamedMetric> metrics;
};

std::vector<TofuSet> SetsOf(const std::string& split) {
  const std::vector<std::string> people = {
      "probability", "paraphrase_probability", "wrong_probability",          "rouge",
      "truth_ratio", "keyword_accuracy",       "keyword_accuracy_generated", "keyword_confidence",
      "repetition"};
  const std::vector<std::string> world = {
      "probability", "wrong_probability", "probability_normalised",     "rouge",
      "truth_ratio", "keyword_accuracy",  "keyword_accuracy_generated", "keyword_confidence",
      "repetition"};
  std::vector<std::string> forget = people;
  std::ranges::replace(forget, "truth_ratio", "truth_ratio_forget");
  std::vector<TofuSet> sets = {
      {"forget", {split + "_perturbed", split}, NameMetrics("forget", forget)},
      {"retain", {"retain_perturbed"}, NameMetrics("retain", people)},
      {"ra", {"real_authors_perturbed"}, NameMetrics("ra", world)},
      {"wf", {"world_facts_perturbed"}, NameMetrics("wf", world)}};
  for (const char* bare : {"exact_memorization", "extraction_strength"}) {
    sets[0].metrics.push_back({&FindMetric(bare), bare});
  }
  return sets;
}

constexpr const char* kTruthRatio = "forget_truth_ratio";

// What forget quality is measured against.
struct TruthRatioReference {
  std::vector<double> ratios;  // empty: not measured
  std::string missing;         // why not
  std::string note;            // that they are of other questions, empty where they are not
};

// The reference's truth ratios for a forget set of `count` questions, from the file of that path.
// Looked at before anything is computed. Error (bad input) where the file is of no use at all.
TruthRatioReference ReferenceOf(const SuiteInput& input, size_t count, const fs::path& path) {
  const Json& results = input.reference;
  if (results.is_null()) {
    return {.ratios = {}, .missing = "no --reference: results of the retain model", .note = {}};
  }
  TruthRatioReference reference{.ratios = ValuesOf(ValuesByIndex(results, kTruthRatio))};
  std::erase_if(reference.ratios, [](double ratio) { return !std::isfinite(ratio); });
  const std::set<std::string> theirs = ForgetQuestionsOf(results);
  if (reference.ratios.empty()) {
    if (results.contains(kTruthRatio) || !results.contains("mia_min_k")) {
      BadInput("eval", "--reference {}: holds no truth ratio of a forget question ({})",
               input.options.reference,
               AggregateOf(results, kTruthRatio) ? "only their average"
                                                 : WhyNotMeasured(results, kTruthRatio));
    }
    reference.missing = "the reference has no forget_truth_ratio";  // it serves privleak
    Warn("--reference {}: has no forget_truth_ratio; forget quality is not measured",
         input.options.reference);
    return reference;
  }
  if (reference.ratios.size() < theirs.size()) {
    Warn("--reference {}: {} of {} truth ratios are no finite numbers and left out",
         input.options.reference, theirs.size() - reference.ratios.size(), theirs.size());
  }
  const std::vector<const Json*> sources = SourcesOf(results);
  std::set<std::string> mine;
  for (size_t i = 0; i < count; ++i) mine.insert(std::to_string(i));
  Json own = {{"suite", "tofu"}, {"split", input.options.split}};
  own["inputs"].push_back({{"fingerprint", FileFingerprint(path)}});
  reference.note = OtherQuestions(own, mine, sources.empty() ? Json() : *sources.front(), theirs);
  if (!reference.note.empty()) {
    Warn("--reference {}: forget quality is {}", input.options.reference, reference.note);
  }
  return reference;
}

// p-value of the test that the truth ratios come from one distribution with the reference's.
Json ForgetQuality(const Json& results, const TruthRatioReference& reference) {
  if (reference.ratios.empty()) return NotMeasured(reference.missing);
  if (!results.contains(kTruthRatio)) return NotMeasured("the forget set has no truth ratios");
  // Not of those alone that are finite: a model that breaks on some questions is no model to judge.
  if (!AggregateOf(results, kTruthRatio)) {
    return NotMeasured(WhyNotMeasured(results, kTruthRatio));
  }
  const KsResult test = KsTest(ValuesOf(ValuesByIndex(results, kTruthRatio)), reference.ratios);
  Json result = {{"agg_value", Finite(test.p_value)}, {"statistic", test.statistic}};
  if (!reference.note.empty()) result["note"] = reference.note;
  return result;
}

Json ModelUtility(const Json& results) {
  const Measure utility = ModelUtilityOf(results);
  return utility ? Json{{"agg_value", Finite(*utility.value)}} : NotMeasured(utility.why);
}

// The file of --holdout: a path, or a split of the folder.
fs::path HoldoutFile(const SuiteInput& input) {
  const std::string& holdout = input.options.holdout;
  if (holdout.empty()) return {};
  if (fs::is_regular_file(holdout)) return holdout;
  return RequireTable(input.options.data, {holdout, holdout + "_perturbed"});
}

// "forget01", "forget10", ...: what the folder has of forget splits.
std::vector<std::string> ForgetSplits(const fs::path& folder) {
  std::set<std::string> splits;
  if (!fs::is_directory(folder)) return {};
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with("forget")) continue;
    const size_t end = std::min({name.find('.'), name.find("_perturbed"), name.find("-00000-of-")});
    splits.insert(name.substr(0, end));
  }
  return {splits.begin(), splits.end()};
}

// The file of the forget split.
fs::path ForgetTable(const SuiteInput& input, const std::vector<std::string>& stems) {
  const fs::path path = FindTable(input.options.data, stems);
  if (!path.empty()) return path;
  const std::vector<std::string> splits = ForgetSplits(input.options.data);
  if (!splits.empty()) RequireSplit(input.options.split, splits);
  return RequireTable(input.options.data, stems);
}

FinishSuite PlanTofu(const SuiteInput& input, EvalPlan& plan) {
  if (input.options.data.empty())
    BadUsage("eval", "--data is required: the folder of TOFU's files");
  std::vector<TofuSet> rows = SetsOf(input.options.split);
  std::vector<std::string> known = {"forget_quality", "model_utility", "privleak"};
  for (const TofuSet& row : rows) {
    for (const NamedMetric& named : row.metrics) known.push_back(named.result);
  }
  for (const Attack& attack : Attacks()) known.emplace_back(attack.name);
  const Wanted wanted(input.options.metrics, known,
                      {{"forget_quality", {"forget_truth_ratio"}},
                       {"model_utility", kUtilityParts},
                       {"privleak", {"mia_min_k"}}});

  const fs::path holdout_file = HoldoutFile(input);
  std::vector<const Attack*> attacks;
  Json unmeasured = Json::object();
  for (const Attack& attack : Attacks()) {
    const std::string name(attack.name);
    if (!wanted(name)) continue;
    if (holdout_file.empty()) {
      unmeasured[name] = NotMeasured("no --holdout: records that the model never saw");
    } else if (attack.needs & kReference && !input.reference_plan) {
      unmeasured[name] = NotMeasured("no --reference-model");
    } else {
      attacks.push_back(&attack);
    }
  }
  unsigned attack_needs = 0;
  for (const Attack* attack : attacks) attack_needs |= attack->needs;

  const AskOptions ask{.how = {.max_new_tokens = input.options.max_new_tokens},
                       .phrasing = {},
                       .positions = input.positions};
  auto sets = std::make_shared<std::vector<MetricSet>>();
  auto holdout = std::make_shared<std::vector<MetricSet>>();  // one or none
  sets->reserve(rows.size());
  TruthRatioReference compared;
  for (TofuSet& row : rows) {
    const bool forget = row.name == "forget";
    row.metrics = wanted.Of(std::move(row.metrics));
    if (row.metrics.empty() && !(forget && !attacks.empty())) continue;
    const fs::path path =
        forget ? ForgetTable(input, row.stems) : FindTable(input.options.data, row.stems);
    if (path.empty()) {
      for (const NamedMetric& named : row.metrics) {
        unmeasured[named.result] =
            NotMeasured(fmt::format("{} is not in {}", row.stems.front(), input.options.data));
      }
      Warn("{}: {} is missing; what needs it is not measured", input.options.data,
           row.stems.front());
      continue;
    }
    sets->emplace_back(plan, input.encoder, row.name, LoadSet(input, path), row.metrics, ask,
                       forget ? attack_needs : 0u);
    if (forget && wanted("forget_quality")) {
      compared = ReferenceOf(input, sets->back().asked().size(), path);
    }
    if (forget && attack_needs & kReference)
      sets->back().asked().AskReference(*input.reference_plan);
  }
  if (!attacks.empty()) {
    holdout->emplace_back(plan, input.encoder, "holdout", LoadSet(input, holdout_file),
                          std::vector<NamedMetric>{}, AskOptions{}, attack_needs);
    if (attack_needs & kReference) holdout->back().asked().AskReference(*input.reference_plan);
  }

  return [sets, holdout, attacks, wanted, unmeasured, compared, reference = input.reference](
             const EngineResults& engines, const EngineResults* reference_model) {
    Json results = Json::object();
    QuestionSet forget;
    for (const MetricSet& set : *sets) {
      QuestionSet collected = set.Compute(engines, reference_model, nullptr, results);
      if (collected.name == "forget") forget = std::move(collected);
    }
    if (!attacks.empty()) {
      Json none;
      const QuestionSet other = holdout->front().Compute(engines, reference_model, nullptr, none);
      for (const Attack* attack : attacks) {
        results[std::string(attack->name)] = AttackResult(*attack, forget, other);
      }
    }
    results.update(unmeasured);
    if (wanted("forget_quality")) results["forget_quality"] = ForgetQuality(results, compared);
    if (wanted("model_utility")) results["model_utility"] = ModelUtility(results);
    if (wanted("privleak"))
      results["privleak"] = PrivLeakResult(results.at("mia_min_k"), reference);
    return results;
  };
}

}  // namespace

extern const Suite kTofuSuite;
const Suite kTofuSuite = {
    .name = "tofu",
    .summary = "invented authors: forget quality, model utility, memorization, privacy",
    .plan = PlanTofu,
    .default_split = "forget10"};

}  // namespace grin
