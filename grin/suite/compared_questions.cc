#include "grin/suite/compared_questions.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <vector>

#include "grin/suite/results.h"

namespace grin {
namespace {

std::string TextOf(const Json& object, const char* key) {
  if (!object.is_object()) return {};
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

// Of the forget set's file: what the suite reads first. Empty where it is not known.
std::string PrintOfForgetSet(const Json& grin) {
  const auto inputs = grin.find("inputs");
  if (inputs == grin.end() || !inputs->is_array() || inputs->empty()) return {};
  return TextOf(inputs->front(), "fingerprint");
}

// Whether both texts are there and are not the same.
bool Differ(const std::string& one, const std::string& other) {
  return !one.empty() && !other.empty() && one != other;
}

// The entry of the evaluation with TOFU; null where there is none.
const Json& TofuSourceOf(const Json& results) {
  static const Json kNone;
  for (const Json* source : SourcesOf(results)) {
    if (TextOf(*source, "suite") == "tofu") return *source;
  }
  return kNone;
}

}  // namespace

std::set<std::string> ForgetQuestionsOf(const Json& results) {
  std::set<std::string> questions;
  const auto found = results.find("forget_truth_ratio");
  if (found == results.end()) return questions;
  const auto values = found->find("value_by_index");
  if (values == found->end() || !values->is_object()) return questions;
  for (const auto& [index, value] : values->items()) questions.insert(index);
  return questions;
}

std::string OtherQuestions(const Json& grin, const std::set<std::string>& questions,
                           const Json& reference_grin,
                           const std::set<std::string>& reference_questions) {
  std::vector<std::string> reasons;
  if (TextOf(grin, "suite") == "tofu" && TextOf(reference_grin, "suite") == "tofu") {
    const std::string split = TextOf(grin, "split"), other = TextOf(reference_grin, "split");
    if (Differ(split, other)) {
      reasons.push_back(fmt::format("the reference is of split {}, this run of {}", other, split));
    } else if (Differ(PrintOfForgetSet(grin), PrintOfForgetSet(reference_grin))) {
      reasons.emplace_back("the forget sets come from files of different content");
    }
  }
  if (questions != reference_questions) {
    const auto both = std::ranges::count_if(
        questions, [&](const std::string& index) { return reference_questions.contains(index); });
    reasons.push_back(
        fmt::format("the reference has {} questions, this run {}, of the same index {}",
                    reference_questions.size(), questions.size(), both));
  }
  if (reasons.empty()) return {};
  return fmt::format("compared with {} other questions: {}", reference_questions.size(),
                     fmt::join(reasons, "; "));
}

std::string OtherQuestions(const Json& results, const Json& reference) {
  return OtherQuestions(TofuSourceOf(results), ForgetQuestionsOf(results), TofuSourceOf(reference),
                        ForgetQuestionsOf(reference));
}

}  // namespace grin
