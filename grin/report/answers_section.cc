// Sample answers, before and after, with the words marked that carry the fact.

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "grin/report/metric_info.h"
#include "grin/report/sections.h"
#include "grin/suite/results.h"
#include "grin/text/words.h"

namespace grin {
namespace {

const Json* EntryOf(const Json& results, const std::string& metric, const std::string& index) {
  if (!results.is_object()) return nullptr;
  const auto found = results.find(metric);
  if (found == results.end()) return nullptr;
  const auto values = found->find("value_by_index");
  if (values == found->end() || !values->is_object()) return nullptr;
  const auto entry = values->find(index);
  return entry == values->end() || !entry->is_object() ? nullptr : &*entry;
}

// The keywords of an example, each as its folded words.
using Keywords = std::vector<std::vector<std::string>>;

Keywords KeywordsOf(const Json& results, const std::string& set, const std::string& index) {
  Keywords keywords;
  for (const char* metric : {"_keyword_accuracy", "_keyword_accuracy_generated"}) {
    const Json* const entry = EntryOf(results, set + metric, index);
    if (!entry || !entry->contains("keywords") || !(*entry)["keywords"].is_array()) continue;
    for (const Json& keyword : (*entry)["keywords"]) {
      if (!keyword.is_string()) continue;
      std::vector<std::string> words;
      for (const Word& word : Words(keyword.get<std::string>())) words.push_back(word.folded);
      if (!words.empty()) keywords.push_back(std::move(words));
    }
    return keywords;
  }
  return keywords;
}

// The text with every occurrence of a keyword in <mark>, compared as whole words without case.
Markup MarkKeywords(const std::string& text, const Keywords& keywords) {
  const std::vector<Word> words = Words(text);
  Markup marked;
  int64_t done = 0;
  for (size_t i = 0; i < words.size();) {
    size_t length = 0;
    for (const auto& keyword : keywords) {
      if (keyword.size() <= length || i + keyword.size() > words.size()) continue;
      const bool same = std::ranges::equal(keyword, std::span(words).subspan(i, keyword.size()), {},
                                           {}, &Word::folded);
      if (same) length = keyword.size();
    }
    if (length == 0) {
      ++i;
      continue;
    }
    const int64_t begin = words[i].span.first, end = words[i + length - 1].span.second;
    marked += Text(std::string_view(text).substr(done, begin - done));
    marked += TextTag("mark", {}, std::string_view(text).substr(begin, end - begin));
    done = end;
    i += length;
  }
  return marked + Text(std::string_view(text).substr(done));
}

Markup Answer(std::string_view who, std::string_view css_class, const std::string& text,
              const Keywords& keywords) {
  const Markup said = text.find_first_not_of(" \n\t\r") == std::string::npos
                          ? TextTag("span", {{"class", "none"}}, "(nothing)")
                          : MarkKeywords(text, keywords);
  return Tag("div", {{"class", std::string(css_class)}},
             TextTag("dt", {}, who) + Tag("dd", {}, said));
}

// Spread evenly over the set, the first and the last among them: no one picked them.
std::vector<std::string> SpreadOver(const std::vector<std::string>& indices, size_t most) {
  if (indices.size() <= most) return indices;
  std::vector<std::string> chosen;
  for (size_t i = 0; i < most; ++i) {
    chosen.push_back(indices[i * (indices.size() - 1) / (most - 1)]);
  }
  return chosen;
}

std::vector<std::string> AnsweredIndices(const Json& metric) {
  std::vector<std::pair<int64_t, std::string>> indices;
  const auto values = metric.find("value_by_index");
  if (values == metric.end() || !values->is_object()) return {};
  for (const auto& [index, entry] : values->items()) {
    if (entry.is_object() && entry.contains("generation") && entry["generation"].is_string()) {
      indices.emplace_back(std::stoll(index), index);
    }
  }
  std::ranges::sort(indices);
  std::vector<std::string> names;
  for (auto& [number, name] : indices) names.push_back(std::move(name));
  return names;
}

Markup Card(const std::string& metric, const std::string& set, const std::string& index,
            const ReportedRun& run, const Yardsticks& yardsticks) {
  const Json& entry = *EntryOf(run.results, metric, index);
  const Keywords keywords = KeywordsOf(run.results, set, index);
  Markup answers;
  if (const std::string truth = StringOr(entry, "ground_truth", ""); !truth.empty()) {
    answers += Answer("True answer", "truth", truth, keywords);
  }
  const std::array<std::pair<const char*, const Json*>, 2> others = {
      std::pair{"Before", &yardsticks.before}, std::pair{"Never saw it", &yardsticks.retain}};
  if (const Json* then = EntryOf(*others[0].second, metric, index)) {
    answers += Answer(others[0].first, "before", StringOr(*then, "generation", ""), keywords);
  }
  answers += Answer("This run", "unlearned", StringOr(entry, "generation", ""), keywords);
  if (const Json* never = EntryOf(*others[1].second, metric, index)) {
    answers += Answer(others[1].first, "never", StringOr(*never, "generation", ""), keywords);
  }
  return Tag(
      "article", {},
      TextTag("h4", {}, StringOr(entry, "input", "example " + index)) + Tag("dl", {}, answers));
}

struct Place {
  const char* set;
  size_t most;
};
constexpr Place kPlaces[] = {{"forget", 6}, {"retain", 3}};

size_t MostOf(const std::string& set) {
  for (const Place& place : kPlaces) {
    if (set == place.set) return place.most;
  }
  return 2;
}

}  // namespace

Section AnswersSection(const ReportedRun& run, const Yardsticks& yardsticks) {
  Section section{.id = "answers", .title = "Sample answers", .link = "Answers", .content = {}};
  if (!run.evaluated()) return section;
  std::vector<std::string> metrics;
  for (const std::string& metric : MetricNames(run.results)) {
    if (metric.ends_with("_ROUGE")) metrics.push_back(metric);
  }
  std::ranges::stable_sort(metrics, {}, [](const std::string& metric) {
    return metric.starts_with("forget_") ? 0 : metric.starts_with("retain_") ? 1 : 2;
  });
  Markup groups;
  for (const std::string& metric : metrics) {
    const std::string set = metric.substr(0, metric.find('_'));
    const auto indices = AnsweredIndices(run.results[metric]);
    if (indices.empty()) continue;
    Markup cards;
    for (const std::string& index : SpreadOver(indices, MostOf(set))) {
      cards += Card(metric, set, index, run, yardsticks);
    }
    groups += TextTag("h3", {}, InfoOf(metric).label) + Tag("div", {{"class", "answers"}}, cards);
  }
  if (groups.empty()) return section;
  section.content =
      TextTag("p", {{"class", "lead"}},
              "Greedy answers, spread evenly over each set by their place in it. Words that carry "
              "the fact are marked, in whichever answer they stand.") +
      groups;
  return section;
}

}  // namespace grin
