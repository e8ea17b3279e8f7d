#pragma once
// Whether truth ratios are compared on the same questions. The test of two samples allows others,
// but then tells questions apart as well as models.

#include <set>
#include <string>

#include "grin/base/json.h"

namespace grin {

// The indices of the questions whose truth ratios the results hold, those without a value too.
std::set<std::string> ForgetQuestionsOf(const Json& results);

// What makes the questions of a reference other ones than a run's, in words for a note: "compared
// with 40 other questions: the reference is of split forget05, this run of forget10"; empty where
// nothing does. The "grin" entries tell split and file of the TOFU suite; they may be null.
std::string OtherQuestions(const Json& grin, const std::set<std::string>& questions,
                           const Json& reference_grin,
                           const std::set<std::string>& reference_questions);

// The same of two results.
std::string OtherQuestions(const Json& results, const Json& reference);

}  // namespace grin
