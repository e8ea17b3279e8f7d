#pragma once
// The sections of a page about one run. Each is empty where the run has nothing to fill it with.

#include <string>
#include <vector>

#include "grin/report/markup.h"
#include "grin/report/run.h"

namespace grin {

struct Section {
  std::string id;     // of the heading, for links
  std::string title;  // "Where the selected weights lie"
  std::string link;   // the same in a word, for the navigation: "Weights"
  Markup content;

  bool empty() const { return content.empty(); }
};

// The <section> with its heading.
Markup Render(const Section& section);

// A paragraph of plain text.
Markup Paragraph(std::string_view text);

// A chart, or several side by side, with what they show in words.
Markup Figure(const Markup& charts, const Markup& legend, std::string_view caption);

// What stands at the top: the headline, figures, findings. Not a Section: it holds the h1.
Markup VerdictHeader(const ReportedRun& run, const Yardsticks& yardsticks);

Section MetricsSection(const ReportedRun& run, const Yardsticks& yardsticks);
Section TruthRatioSection(const ReportedRun& run, const Yardsticks& yardsticks);
Section ExamplesSection(const ReportedRun& run, const Yardsticks& yardsticks);
Section AnswersSection(const ReportedRun& run, const Yardsticks& yardsticks);
Section AttackSection(const ReportedRun& run);
Section DensitySection(const ReportedRun& run);
Section TrainingSection(const ReportedRun& run);
Section CostSection(const ReportedRun& run);
Section RecipeSection(const ReportedRun& run);
Section ProvenanceSection(const ReportedRun& run, const Yardsticks& yardsticks);

// Whether a metric of results is one of grin attack, which AttackSection shows.
bool IsAttackMetric(const Json& metric);
// What grin attack says in a sentence, {"headline", "tone", ...}; null where it was not run.
const Json* AttackVerdictOf(const Json& results);

// Values of any JSON in a table of two columns.
Markup SettingsTable(std::string_view caption,
                     const std::vector<std::pair<std::string, std::string>>& rows);

// A JSON value as people write it: strings without quotes, lists with commas.
std::string Plain(const Json& value);

// The text of a JSON member, or nothing: never an error for one of another type.
std::string StringOr(const Json& object, std::string_view key, std::string_view otherwise);
std::optional<double> NumberOf(const Json& object, std::string_view key);

// The name of a results file without its directories, of several joined ones their names; the
// page's provenance has the directories.
std::string FileNameOf(const Json& results);

}  // namespace grin
