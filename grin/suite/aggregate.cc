#include "grin/suite/aggregate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "grin/metric/keyword_metrics.h"
#include "grin/metric/kolmogorov_smirnov.h"
#include "grin/metric/statistics.h"
#include "grin/suite/compared_questions.h"
#include "grin/suite/results.h"

namespace grin {
namespace {

constexpr const char* kAttacks[] = {"mia_loss", "mia_zlib", "mia_min_k", "mia_min_k_plus_plus"};

Measure Value(double value) { return {value, {}}; }
Measure Missing(std::string why) { return {std::nullopt, std::move(why)}; }

Measure Read(const Json& results, std::string_view metric) {
  if (const auto value = AggregateOf(results, metric)) return Value(*value);
  return Missing(WhyNotMeasured(results, metric));
}

// The harmonic mean of what is all there; else why the first that is missing is.
Measure HarmonicMeanOf(const std::vector<Measure>& measures) {
  std::vector<double> values;
  for (const Measure& measure : measures) {
    if (!measure) return Missing(measure.why);
    if (*measure.value < 0) return Missing("a part of the harmonic mean is negative");
    values.push_back(*measure.value);
  }
  return Value(HarmonicMean(values));
}

Measure OneMinus(const Measure& measure) { return measure ? Value(1 - *measure.value) : measure; }

// Mean of a_c / (a_c + a_w), by the losses, so that no answer is too unlikely to count.
Measure ShareOfRightAnswer(const Json& results) {
  const IndexedValues right = ValuesByIndex(results, "forget_Q_A_PARA_Prob", "avg_loss");
  const IndexedValues wrong = ValuesByIndex(results, "forget_Q_A_PERT_Prob", "avg_loss");
  std::vector<double> shares;
  for (const auto& [index, loss] : right) {
    const auto other = wrong.find(index);
    if (other != wrong.end()) shares.push_back(1 / (1 + std::exp(loss - other->second)));
  }
  if (!shares.empty()) return Value(Mean(shares));
  const char* const metric = right.empty() ? "forget_Q_A_PARA_Prob" : "forget_Q_A_PERT_Prob";
  return Missing(AggregateOf(results, metric) ? fmt::format("{} has no losses by example", metric)
                                              : WhyNotMeasured(results, metric));
}

Measure MemorizationOf(const Json& results) {
  return HarmonicMeanOf({OneMinus(Read(results, "extraction_strength")),
                         OneMinus(Read(results, "exact_memorization")),
                         OneMinus(Read(results, "forget_Q_A_PARA_Prob")),
                         OneMinus(ShareOfRightAnswer(results))});
}

Measure PrivacyOf(const Json& results, const Json* retain) {
  if (!retain) return Missing("needs the results of a model that never saw the forget set");
  std::vector<Measure> closeness;
  for (const char* attack : kAttacks) {
    const Measure auc = Read(results, attack), reference = Read(*retain, attack);
    if (!auc) return auc;
    if (!reference) return reference;
    if (*reference.value <= 0) {
      return Missing(fmt::format("{} of the reference is 0, no scale to compare on", attack));
    }
    closeness.push_back(Value(
        std::clamp(1 - std::abs(*auc.value - *reference.value) / *reference.value, 0.0, 1.0)));
  }
  return HarmonicMeanOf(closeness);
}

// What was generated for the forget questions, where the file holds it.
std::vector<std::string> ForgetAnswersOf(const Json& results) {
  std::vector<std::string> answers;
  const auto rouge = results.find("forget_Q_A_ROUGE");
  if (rouge == results.end()) return answers;
  const auto values = rouge->find("value_by_index");
  if (values == rouge->end() || !values->is_object()) return answers;
  for (const auto& [index, entry] : values->items()) {
    if (!entry.is_object()) continue;
    const auto text = entry.find("generation");
    if (text != entry.end() && text->is_string()) answers.push_back(text->get<std::string>());
  }
  return answers;
}

Fluency FluencyByRepetition(const Json& results) {
  return {OneMinus(RepetitionOf(results)), "the repetition rate"};
}

Measure UtilityOf(const Json& results, const Json* full) {
  if (!full) return Missing("needs the results of the model before unlearning");
  Fluency mine = FluencyOf(results), before = FluencyOf(*full);
  if (mine.kind != before.kind) {
    // The classifier ran on one of them only: compared is what both have.
    const Fluency here = FluencyByRepetition(results), then = FluencyByRepetition(*full);
    if (here.value && then.value) mine = here, before = then;
  }
  if (mine.value && before.value && mine.kind != before.kind) {
    return Missing(fmt::format("fluency is by {} here and by {} before", mine.kind, before.kind));
  }
  const Measure now = HarmonicMeanOf({ModelUtilityOf(results), mine.value});
  const Measure then = HarmonicMeanOf({ModelUtilityOf(*full), before.value});
  if (!now) return now;
  if (!then) return then;
  if (*then.value == 0) return Missing("the model before unlearning has utility 0");
  return Value(*now.value / *then.value);
}

void CompareTruthRatios(const Json& results, const Json* retain, Aggregates& aggregates) {
  constexpr const char* kMetric = "forget_truth_ratio";
  if (!retain) {
    aggregates.forget_quality = Read(results, "forget_quality");
    if (!aggregates.forget_quality && !results.contains("forget_quality")) {
      aggregates.forget_quality =
          Missing("needs the results of a model that never saw the forget set");
    }
    const auto found = results.find("forget_quality");
    const bool has = found != results.end() && found->value("statistic", Json()).is_number();
    aggregates.forget_distance = has ? Value((*found)["statistic"].get<double>())
                                     : Missing(
                                           "needs the results of a model that never saw the "
                                           "forget set");
    if (found != results.end()) {
      if (const Json note = found->value("note", Json()); note.is_string()) {
        aggregates.other_questions = note.get<std::string>();
      }
    }
    return;
  }
  const std::vector<double> mine = ValuesOf(ValuesByIndex(results, kMetric));
  const std::vector<double> theirs = ValuesOf(ValuesByIndex(*retain, kMetric));
  if (mine.empty() || theirs.empty()) {
    const Json& lacking = mine.empty() ? results : *retain;
    aggregates.forget_quality = aggregates.forget_distance =
        Missing(AggregateOf(lacking, kMetric) ? fmt::format("{} has no values by example", kMetric)
                                              : WhyNotMeasured(lacking, kMetric));
    return;
  }
  const KsResult test = KsTest(mine, theirs);
  aggregates.forget_quality = Value(test.p_value);
  aggregates.forget_distance = Value(test.statistic);
  aggregates.other_questions = OtherQuestions(results, *retain);
}

}  // namespace

Fluency FluencyOf(const Json& results) {
  if (const auto classified = AggregateOf(results, "forget_Q_A_gibberish")) {
    return {Value(*classified), "a classifier of gibberish"};
  }
  return FluencyByRepetition(results);
}

Measure RepetitionOf(const Json& results) {
  if (const auto stated = AggregateOf(results, "forget_repetition")) return Value(*stated);
  std::vector<double> rates;
  for (const std::string& answer : ForgetAnswersOf(results)) {
    rates.push_back(RepetitionRate(answer));
  }
  return rates.empty() ? Read(results, "forget_repetition") : Value(Mean(rates));
}

Measure ModelUtilityOf(const Json& results) {
  if (const auto stated = AggregateOf(results, "model_utility")) return Value(*stated);
  std::vector<Measure> parts;
  for (const std::string& part : kUtilityParts) parts.push_back(Read(results, part));
  return HarmonicMeanOf(parts);
}

Aggregates Aggregate(const Json& results, const Json* retain, const Json* full) {
  Aggregates aggregates;
  CompareTruthRatios(results, retain, aggregates);
  aggregates.model_utility = ModelUtilityOf(results);
  aggregates.memorization = MemorizationOf(results);
  aggregates.privacy = PrivacyOf(results, retain);
  aggregates.utility = UtilityOf(results, full);
  aggregates.overall =
      HarmonicMeanOf({aggregates.memorization, aggregates.privacy, aggregates.utility});
  return aggregates;
}

}  // namespace grin
