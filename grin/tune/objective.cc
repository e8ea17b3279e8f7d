#include "grin/tune/objective.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <type_traits>

#include "grin/base/error.h"
#include "grin/base/table.h"

namespace grin {

// A row: an objective that its own file defines under this name.
#define GRIN_OBJECTIVE(name)     \
  []() -> const Objective& {     \
    extern const Objective name; \
    return name;                 \
  }()

std::span<const Objective> ForgetObjectives() {
  static const std::vector<Objective> rows = {
      GRIN_OBJECTIVE(kGradientAscent),
      GRIN_OBJECTIVE(kGradientDifference),
      GRIN_OBJECTIVE(kNegativePreference),
      GRIN_OBJECTIVE(kSimpleNegativePreference),
      GRIN_OBJECTIVE(kUnlikelihood),
      GRIN_OBJECTIVE(kRefusalLikelihood),
      GRIN_OBJECTIVE(kDirectPreference),
      GRIN_OBJECTIVE(kAlternatePreference),
      GRIN_OBJECTIVE(kWeightedAscent),
      GRIN_OBJECTIVE(kSaturationImportance),
      GRIN_OBJECTIVE(kUndial),
      GRIN_OBJECTIVE(kOmission),
      GRIN_OBJECTIVE(kCrossEntropyUnlearning),
      GRIN_OBJECTIVE(kMarginFlattening),
      GRIN_OBJECTIVE(kSteering),
      GRIN_OBJECTIVE(kJensenShannonRefusal),
  };
  return rows;
}

std::span<const Objective> RetainObjectives() {
  static const std::vector<Objective> rows = {
      GRIN_OBJECTIVE(kLikelihood),
      GRIN_OBJECTIVE(kDivergenceFromReference),
      GRIN_OBJECTIVE(kJensenShannonFromReference),
      GRIN_OBJECTIVE(kDistanceToReference),
      GRIN_OBJECTIVE(kNothing),
  };
  return rows;
}

#undef GRIN_OBJECTIVE

const Objective& FindForgetObjective(std::string_view name) {
  static const std::span<const Objective> rows = ForgetObjectives();
  return FindRow("tune", "objective", rows, name);
}

const Objective& FindRetainObjective(std::string_view name) {
  static const std::span<const Objective> rows = RetainObjectives();
  return FindRow("tune", "retain objective", rows, name);
}

double ObjectiveSettings::operator[](std::string_view name) const {
  const auto found = parameters.find(name);
  if (found == parameters.end()) Defect("tune", "the objective got no {}", name);
  return found->second;
}

bool HasParameter(const Objective& objective, std::string_view name) {
  return std::ranges::find(objective.parameters, name, &ObjectiveParameter::name) !=
         objective.parameters.end();
}

ObjectiveSettings DefaultSettings(const Objective& objective) {
  ObjectiveSettings settings;
  for (const ObjectiveParameter& parameter : objective.parameters) {
    settings.parameters.emplace(parameter.name, parameter.value);
  }
  return settings;
}

const std::vector<NamedParameter>& ObjectiveParameters() {
  static const std::vector<NamedParameter> all = [] {
    // By name, and in it by what is said of it: "npo 0.1".
    using Meaning = std::pair<std::string, std::vector<std::string>>;
    std::vector<std::pair<std::string, std::vector<Meaning>>> found;
    const auto entry = [](auto& list, std::string_view key) -> auto& {
      const auto at = std::ranges::find(
          list, key, [](const auto& pair) -> const auto& { return pair.first; });
      if (at != list.end()) return at->second;
      return list.emplace_back(std::string(key), decltype(list.back().second){}).second;
    };
    for (const Objective& objective : ForgetObjectives()) {
      for (const ObjectiveParameter& parameter : objective.parameters) {
        entry(entry(found, parameter.name), parameter.help)
            .push_back(fmt::format("{} {}", objective.name, parameter.value));
      }
    }
    std::vector<NamedParameter> named;
    for (const auto& [name, meanings] : found) {
      std::vector<std::string> parts;
      for (const auto& [help, objectives] : meanings) {
        parts.push_back(fmt::format("{} ({})", help, fmt::join(objectives, ", ")));
      }
      named.push_back({name, fmt::format("{}", fmt::join(parts, "; "))});
    }
    return named;
  }();
  return all;
}

namespace {

// The objectives by a field of their rows, "A for a, b, B for c, else C" with the commonest last.
template <typename Field>
std::string ByField(Field field) {
  std::map<std::decay_t<decltype(std::declval<Objective>().*field)>, std::vector<std::string_view>>
      by_value;
  for (const Objective& objective : ForgetObjectives()) {
    by_value[objective.*field].push_back(objective.name);
  }
  const auto commonest =
      std::ranges::max_element(by_value, {}, [](const auto& value) { return value.second.size(); });
  std::string text;
  for (const auto& [value, names] : by_value) {
    if (value == commonest->first) continue;
    text += fmt::format("{} for {}, ", value, fmt::join(names, " and "));
  }
  return fmt::format("{}else {}", text, commonest->first);
}

}  // namespace

std::string DefaultsOf(double Objective::*weight) { return ByField(weight); }
std::string RetainDefaults() { return ByField(&Objective::retain_default); }

}  // namespace grin
