#pragma once
// Figures over a whole results file, and over it beside the results of a model that never saw the
// forget set (`retain`) and of the model before unlearning (`full`).

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "grin/base/json.h"

namespace grin {

// A figure, or why there is none. Never a number that stands in for a missing one.
struct Measure {
  std::optional<double> value;
  std::string why;  // in words; empty where there is a value

  explicit operator bool() const { return value.has_value(); }
};

struct Aggregates {
  // p-value of the two-sample Kolmogorov-Smirnov test of the forget truth ratios against retain's,
  // and its statistic D. Without `retain`, what the file itself says.
  Measure forget_quality, forget_distance;
  // Where those two compare other questions (compared_questions.h), in words; else empty.
  std::string other_questions;
  Measure model_utility;  // harmonic mean of the nine figures of TOFU
  Measure memorization;   // HM(1-ES, 1-EM, 1-ParaProb, 1-TR'), TR' = a_c/(a_c+a_w); 1 is none
  Measure privacy;        // HM over four attacks of clip(1 - |AUC-AUC_ret|/AUC_ret, 0, 1)
  Measure utility;        // HM(model utility, fluency) over the same of `full`
  Measure overall;        // HM(memorization, privacy, utility)
};

// Any of the two may be null; what needs it is then not measured. Error (bad input) for values that
// are no numbers.
Aggregates Aggregate(const Json& results, const Json* retain, const Json* full);

// One row per figure, for tables and JSON.
struct AggregateInfo {
  std::string_view name;   // "forget_quality"
  std::string_view label;  // "Forget quality"
  Measure Aggregates::*measure;
  bool lower_is_better;
};
inline constexpr AggregateInfo kAggregates[] = {
    {"forget_quality", "Forget quality", &Aggregates::forget_quality, false},
    {"forget_distance", "KS distance", &Aggregates::forget_distance, true},
    {"model_utility", "Model utility", &Aggregates::model_utility, false},
    {"memorization", "Memorization", &Aggregates::memorization, false},
    {"privacy", "Privacy", &Aggregates::privacy, false},
    {"utility", "Utility", &Aggregates::utility, false},
    {"overall", "Overall", &Aggregates::overall, false}};

// Repetition rate of the answers to the forget questions: as the file says, else the mean over the
// answers that it holds (keyword_metrics.h), as those of OpenUnlearning and locuslab do.
Measure RepetitionOf(const Json& results);

// How fluently the forget questions are answered, 0 to 1: OpenUnlearning's classifier
// ("forget_Q_A_gibberish") where it ran, else 1 - the repetition rate. `kind` says which.
struct Fluency {
  Measure value;
  std::string kind;
};
Fluency FluencyOf(const Json& results);

// The nine figures whose harmonic mean is TOFU's model utility.
inline const std::vector<std::string> kUtilityParts = {
    "retain_Q_A_Prob",        "retain_Q_A_ROUGE", "retain_Truth_Ratio",
    "ra_Q_A_Prob_normalised", "ra_Q_A_ROUGE",     "ra_Truth_Ratio",
    "wf_Q_A_Prob_normalised", "wf_Q_A_ROUGE",     "wf_Truth_Ratio"};

// Model utility of one file: as it says, else from its nine figures.
Measure ModelUtilityOf(const Json& results);

}  // namespace grin
