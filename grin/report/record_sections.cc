// The sections about how a run was made: cost, recipe, provenance.

#include <fmt/format.h>

#include <algorithm>

#include "grin/base/progress.h"
#include "grin/report/figures.h"
#include "grin/report/sections.h"
#include "grin/suite/results.h"

namespace grin {
namespace {

using Rows = std::vector<std::pair<std::string, std::string>>;

const Json& Member(const Json& object, const char* key) {
  static const Json kNone;
  if (!object.is_object()) return kNone;
  const auto found = object.find(key);
  return found == object.end() ? kNone : *found;
}

// Settings in the order of the file, sections flattened to "mask.method".
void AddSettings(const Json& object, const std::string& prefix, Rows& rows) {
  for (const auto& [key, value] : object.items()) {
    if (value.is_object()) {
      AddSettings(value, prefix + key + ".", rows);
    } else {
      rows.emplace_back(prefix + key, Plain(value));
    }
  }
}

Markup Collapsed(std::string_view title, const Markup& content) {
  return Tag("details", {}, TextTag("summary", {}, title) + content);
}

void AddInput(const std::string& name, const Json& input, Rows& rows) {
  if (input.is_string()) {
    rows.emplace_back(name, input.get<std::string>());
    return;
  }
  std::string text = StringOr(input, "path", "");
  if (const auto records = NumberOf(input, "records")) {
    text += fmt::format(" · {} records", FormatCount(*records));
  }
  if (const std::string print = StringOr(input, "fingerprint", ""); !print.empty()) {
    text += " · " + print;
  }
  rows.emplace_back(name, text);
}

}  // namespace

Section CostSection(const ReportedRun& run) {
  Section section{.id = "cost", .title = "Cost", .link = "Cost", .content = {}};
  Rows rows;
  const auto add = [&](const char* label, const std::optional<double>& value,
                       std::string (*format)(double)) {
    if (value) rows.emplace_back(label, format(*value));
  };
  const Json& cost = Member(run.record, "cost");
  const Json& tune = Member(run.record, "tune");
  add("Unlearning, whole", NumberOf(cost, "seconds"), FormatDuration);
  add("of it locating", NumberOf(cost, "locate_seconds"), FormatDuration);
  add("of it tuning", NumberOf(cost, "tune_seconds"), FormatDuration);
  add("Peak memory, unlearning", NumberOf(cost, "peak_memory_bytes"), FormatBytes);
  add("Steps", NumberOf(tune, "steps"), FormatCount);
  add("Kept step", NumberOf(tune, "kept_step"), FormatCount);
  add("Tokens trained on", NumberOf(tune, "tokens"), FormatCount);
  if (run.evaluated()) {
    std::optional<double> seconds, memory;
    for (const Json* eval : SourcesOf(run.results)) {
      if (const auto more = NumberOf(*eval, "seconds")) seconds = seconds.value_or(0) + *more;
      if (const auto peak = NumberOf(*eval, "peak_memory")) {
        memory = std::max(memory.value_or(0), *peak);
      }
    }
    add("Evaluation", seconds, FormatDuration);
    add("Peak memory, evaluation", memory, FormatBytes);
  }
  if (!rows.empty()) section.content = SettingsTable("What the run took", rows);
  return section;
}

Section RecipeSection(const ReportedRun& run) {
  Section section{.id = "recipe", .title = "Recipe", .link = "Recipe", .content = {}};
  const auto add = [&](std::string_view title, const Json& recipe) {
    if (!recipe.is_object() || recipe.empty()) return;
    Rows rows;
    AddSettings(recipe, "", rows);
    section.content += Collapsed(title, SettingsTable(title, rows));
  };
  add("Settings of the run that made the model", Member(run.record, "recipe"));
  if (run.evaluated()) {
    const std::vector<const Json*> sources = SourcesOf(run.results);
    for (const Json* source : sources) {
      const std::string file =
          sources.size() > 1 ? " (" + StringOr(*source, "file", "results") + ")" : std::string();
      add("Settings of the evaluation" + file, Member(*source, "recipe"));
    }
  }
  return section;
}

Section ProvenanceSection(const ReportedRun& run, const Yardsticks& yardsticks) {
  Section section{.id = "provenance", .title = "Provenance", .link = "Provenance", .content = {}};
  Rows rows;
  const auto add = [&](const char* label, const std::string& text) {
    if (!text.empty()) rows.emplace_back(label, text);
  };
  const std::vector<const Json*> sources =
      run.evaluated() ? SourcesOf(run.results) : std::vector<const Json*>{};
  for (const Json* one : sources) {
    const Json& grin = *one;
    add("Results file", StringOr(grin, "file", ""));
    const std::string source = StringOr(grin, "source", "");
    add("Written by",
        source == "grin" ? "grin eval " + StringOr(grin, "grin_version", "") : source);
    add("Model", StringOr(grin, "model", ""));
    add("Architecture", StringOr(grin, "model_description", ""));
    add("Fingerprint of the model", StringOr(grin, "model_fingerprint", ""));
    const Json& inputs = Member(grin, "inputs");
    if (inputs.is_array()) {
      for (const Json& input : inputs) AddInput("Evaluated on", input, rows);
    }
    if (Member(grin, "interrupted") == Json(true)) {
      add("Warning", "the evaluation was interrupted; not all metrics are there");
    }
  }
  if (run.record.is_object()) {
    add("Made by", "grin " + StringOr(run.record, "command", "") + " " +
                       StringOr(run.record, "grin_version", ""));
    add("Recipe hash", StringOr(run.record, "recipe_hash", ""));
    const Json& inputs = Member(run.record, "inputs");
    if (inputs.is_object()) {
      for (const auto& [name, input] : inputs.items()) AddInput("Input: " + name, input, rows);
    }
  }
  const auto yardstick = [&](const char* label, const Json& results) {
    if (!results.is_object()) return;
    for (const Json* one : SourcesOf(results)) add(label, StringOr(*one, "file", ""));
  };
  yardstick("Reference: before", yardsticks.before);
  yardstick("Reference: never saw it", yardsticks.retain);
  if (!rows.empty()) section.content = SettingsTable("Where the figures come from", rows);
  return section;
}

}  // namespace grin
