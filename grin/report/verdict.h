#pragma once
// What a run reached, in careful words: what was forgotten, what was kept, against which reference,
// and whether too much was forgotten.

#include <string>
#include <vector>

#include "grin/report/run.h"

namespace grin {

enum class Tone { kGood, kFair, kPoor, kUnknown };

struct Finding {
  Tone tone = Tone::kUnknown;
  std::string title;        // "Forgotten", "Kept", "Over-forgetting"
  std::string short_words;  // a few words: "mostly forgotten"
  std::string text;         // one or two sentences, with the numbers
  std::string metric;       // the figure that it was judged by; empty where there is not one
};

struct Verdict {
  std::string headline;  // one sentence
  std::vector<Finding> findings;
};

// Thresholds of the words are listed in docs/report.md.
Verdict VerdictOf(const ReportedRun& run, const Yardsticks& yardsticks);

}  // namespace grin
