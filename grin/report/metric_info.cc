#include "grin/report/metric_info.h"

#include <fmt/format.h>

#include <cctype>

namespace grin {
namespace {

struct Whole {
  std::string_view name;
  std::string_view label;
  MetricGroup group;
  Better better;
};

constexpr Whole kWhole[] = {
    {"forget_quality", "Forget quality (p of KS test)", MetricGroup::kForgotten, Better::kHigher},
    {"forget_truth_ratio", "Truth ratio, closeness to 1", MetricGroup::kForgotten, Better::kNear},
    {"exact_memorization", "Exact memorization", MetricGroup::kForgotten, Better::kLower},
    {"extraction_strength", "Extraction strength", MetricGroup::kForgotten, Better::kLower},
    {"relearn_keyword_accuracy", "Keyword accuracy after relearning", MetricGroup::kForgotten,
     Better::kLower},
    {"leak_at_64", "One of 64 drawn answers leaks", MetricGroup::kForgotten, Better::kLower},
    {"wmdp_bio", "WMDP biology, accuracy", MetricGroup::kForgotten, Better::kLower},
    {"wmdp_cyber", "WMDP cyber-security, accuracy", MetricGroup::kForgotten, Better::kLower},
    {"wmdp_chem", "WMDP chemistry, accuracy", MetricGroup::kForgotten, Better::kLower},
    {"model_utility", "Model utility", MetricGroup::kKept, Better::kHigher},
    {"mmlu", "MMLU, accuracy", MetricGroup::kKept, Better::kHigher},
    {"perplexity", "Perplexity", MetricGroup::kKept, Better::kLower},
    {"privleak", "PrivLeak", MetricGroup::kPrivacy, Better::kNear},
    {"mia_loss", "Membership by loss, AUC", MetricGroup::kPrivacy, Better::kNear},
    {"mia_zlib", "Membership by loss and zlib, AUC", MetricGroup::kPrivacy, Better::kNear},
    {"mia_min_k", "Membership by min-k, AUC", MetricGroup::kPrivacy, Better::kNear},
    {"mia_min_k_plus_plus", "Membership by min-k++, AUC", MetricGroup::kPrivacy, Better::kNear},
    {"mia_gradnorm", "Membership by gradient norm, AUC", MetricGroup::kPrivacy, Better::kNear},
    {"mia_reference", "Membership by reference, AUC", MetricGroup::kPrivacy, Better::kNear}};

// Of a set of questions: what follows "forget_", "retain_", ...
struct Suffix {
  std::string_view name;
  std::string_view label;
  Better kept;       // for sets that must stay
  Better forgotten;  // for the forget set
};

constexpr Suffix kSuffixes[] = {
    {"keyword_accuracy", "Keyword accuracy", Better::kHigher, Better::kLower},
    {"keyword_accuracy_generated", "Keywords in answers", Better::kHigher, Better::kLower},
    {"keyword_confidence", "Keyword confidence", Better::kHigher, Better::kLower},
    {"Q_A_Prob", "Answer probability", Better::kHigher, Better::kLower},
    {"Q_A_Prob_normalised", "Probability among the choices", Better::kHigher, Better::kLower},
    {"Q_A_ROUGE", "ROUGE-L recall of answers", Better::kHigher, Better::kLower},
    {"Q_A_PARA_Prob", "Probability of a paraphrase", Better::kHigher, Better::kLower},
    {"Q_A_PERT_Prob", "Probability of wrong answers", Better::kUnknown, Better::kUnknown},
    {"Truth_Ratio", "Truth ratio, 1 - wrong/right", Better::kHigher, Better::kLower},
    {"truth_ratio", "Truth ratio, closeness to 1", Better::kNear, Better::kNear},
    {"verbmem_ROUGE", "Verbatim continuation, ROUGE-L", Better::kHigher, Better::kLower},
    {"knowmem_ROUGE", "Questions on the text, ROUGE-L", Better::kHigher, Better::kLower},
    {"repetition", "Repetition rate of answers", Better::kLower, Better::kLower},
    {"Q_A_gibberish", "Fluency by a classifier", Better::kHigher, Better::kHigher},
    {"toxicity", "Toxicity of answers", Better::kLower, Better::kLower},
    {"refusal_rate", "Refusals", Better::kLower, Better::kUnknown}};

constexpr std::pair<std::string_view, std::string_view> kSets[] = {{"forget", "forget set"},
                                                                   {"retain", "retain set"},
                                                                   {"ra", "real authors"},
                                                                   {"wf", "world facts"}};

// "general_topics" -> "general topics".
std::string SetName(std::string_view prefix) {
  for (const auto& [name, label] : kSets) {
    if (name == prefix) return std::string(label);
  }
  std::string words(prefix);
  for (char& c : words) c = c == '_' ? ' ' : c;
  return words;
}

}  // namespace

std::string_view GroupTitle(MetricGroup group) {
  switch (group) {
    case MetricGroup::kForgotten:
      return "What was to go";
    case MetricGroup::kKept:
      return "What was to stay";
    case MetricGroup::kPrivacy:
      return "Whether the data can still be told";
    case MetricGroup::kOther:
      break;
  }
  return "Other figures";
}

MetricInfo InfoOf(std::string_view metric) {
  int rank = 0;
  for (const Whole& whole : kWhole) {
    ++rank;
    if (whole.name == metric) return {std::string(whole.label), whole.group, whole.better, rank};
  }
  // The longest suffix that fits: "keyword_accuracy_generated" before others.
  const Suffix* best = nullptr;
  int place = 0;
  for (const Suffix& suffix : kSuffixes) {
    ++rank;
    const bool fits = metric.size() > suffix.name.size() + 1 && metric.ends_with(suffix.name) &&
                      metric[metric.size() - suffix.name.size() - 1] == '_';
    if (fits && (!best || suffix.name.size() > best->name.size())) {
      best = &suffix;
      place = rank;
    }
  }
  if (!best) return {std::string(metric), MetricGroup::kOther, Better::kUnknown, 0};
  const std::string_view set = metric.substr(0, metric.size() - best->name.size() - 1);
  const bool forget = set == "forget";
  const int set_rank = forget || set == "retain" ? 0 : set == "ra" ? 1 : set == "wf" ? 2 : 3;
  return {fmt::format("{}, {}", best->label, SetName(set)),
          forget ? MetricGroup::kForgotten : MetricGroup::kKept,
          forget ? best->forgotten : best->kept, 100 * (1 + set_rank) + place};
}

std::string_view InWords(Better better) {
  switch (better) {
    case Better::kLower:
      return "lower is better";
    case Better::kHigher:
      return "higher is better";
    case Better::kNear:
      return "near “never saw it” is better";
    case Better::kUnknown:
      break;
  }
  return "no direction";
}

std::string_view ArrowOf(Better better) {
  switch (better) {
    case Better::kLower:
      return "↓";
    case Better::kHigher:
      return "↑";
    case Better::kNear:
      return "≈";
    case Better::kUnknown:
      break;
  }
  return "";
}

}  // namespace grin
