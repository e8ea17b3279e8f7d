#pragma once
// What the metrics of a results file are called on a page, and which way is better.

#include <string>
#include <string_view>

namespace grin {

enum class Better {
  kLower,
  kHigher,
  kNear,     // near a model that never saw the data
  kUnknown,  // metrics of other tools
};

// Order of the groups on the page.
enum class MetricGroup { kForgotten, kKept, kPrivacy, kOther };
std::string_view GroupTitle(MetricGroup group);

struct MetricInfo {
  std::string label;  // "Keyword accuracy, forget set"
  MetricGroup group = MetricGroup::kOther;
  Better better = Better::kUnknown;
  int rank = 0;  // order within the group
};

// By the metric's name, "forget_keyword_accuracy". Unknown names are their own label.
MetricInfo InfoOf(std::string_view metric);

// "lower is better", and the arrow that stands for it.
std::string_view InWords(Better better);
std::string_view ArrowOf(Better better);

}  // namespace grin
