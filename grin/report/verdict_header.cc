#include <fmt/format.h>

#include "grin/report/figures.h"
#include "grin/report/metric_info.h"
#include "grin/report/sections.h"
#include "grin/report/verdict.h"
#include "grin/suite/results.h"

namespace grin {
namespace {

struct ToneLook {
  const char* css_class;
  const char* sign;
  const char* words;
};

// The sign tells the tone where colours do not.
ToneLook LookOf(Tone tone) {
  switch (tone) {
    case Tone::kGood:
      return {"good", "✓", "good"};
    case Tone::kFair:
      return {"fair", "!", "with reservations"};
    case Tone::kPoor:
      return {"poor", "✕", "poor"};
    case Tone::kUnknown:
      break;
  }
  return {"unknown", "?", "not known"};
}

Markup DrawFinding(const Finding& finding) {
  const ToneLook look = LookOf(finding.tone);
  return Tag(
      "li", {{"class", look.css_class}},
      TextTag("span", {{"class", "sign"}, {"role", "img"}, {"aria-label", look.words}}, look.sign) +
          Tag("div", {}, TextTag("h3", {}, finding.title) + Paragraph(finding.text)));
}

std::string Beside(std::optional<double> before, std::optional<double> never) {
  std::string text;
  if (before) text = "before " + FormatFigure(*before);
  if (never) text += (text.empty() ? "" : "\n") + ("never saw it " + FormatFigure(*never));
  return text;
}

Markup Tile(std::string_view label, std::string_view value, std::string_view beside) {
  return Tag("div", {},
             TextTag("dt", {}, label) + Tag("dd", {},
                                            TextTag("span", {{"class", "value"}}, value) +
                                                TextTag("span", {{"class", "beside"}}, beside)));
}

std::optional<double> TileValue(const Json& results, std::string_view metric) {
  return results.is_object() ? AggregateOf(results, metric) : std::nullopt;
}

// Up to four figures: of the forget set, the test, what was kept, how much of the model changed.
Markup Tiles(const ReportedRun& run, const Yardsticks& yardsticks, const Verdict& verdict) {
  Markup tiles;
  const auto add = [&](const std::string& metric) {
    const auto value = TileValue(run.results, metric);
    if (!value) return;
    tiles += Tile(InfoOf(metric).label, FormatFigure(*value),
                  Beside(TileValue(yardsticks.before, metric), TileValue(yardsticks.retain, metric)));
  };
  if (run.evaluated() && verdict.findings.size() > 1) {
    // The figures that the verdict is about.
    const std::string &forgotten = verdict.findings[0].metric, &kept = verdict.findings[1].metric;
    add(forgotten);
    if (const Measure& quality = run.aggregates.forget_quality) {
      const Measure& distance = run.aggregates.forget_distance;
      tiles += Tile("Forget quality", FormatFigure(*quality.value),
                    distance ? "KS distance " + FormatFigure(*distance.value) : "");
    }
    if (const Measure& utility = run.aggregates.model_utility; kept == "model_utility") {
      tiles += Tile("Model utility", FormatFigure(*utility.value),
                    Beside(yardsticks.before.is_object() ? ModelUtilityOf(yardsticks.before).value
                                                         : std::nullopt,
                           yardsticks.retain.is_object() ? ModelUtilityOf(yardsticks.retain).value
                                                         : std::nullopt));
    } else {
      add(kept.empty() ? "perplexity" : kept);
    }
  }
  if (const Json* attacked = AttackVerdictOf(run.results)) {
    if (const auto worst = NumberOf(*attacked, "worst")) {
      const auto shown = NumberOf(*attacked, "shown");
      tiles += Tile("Brought out by attacks", FormatPercent(*worst),
                    shown ? "plain answers show " + FormatPercent(*shown) : "");
    }
  }
  if (run.density && run.density->all.total > 0) {
    tiles +=
        Tile("Weights selected", FormatPercent(run.density->all.share()),
             fmt::format("{} of {}", FormatCount(static_cast<double>(run.density->all.selected)),
                         FormatCount(static_cast<double>(run.density->all.total))));
  }
  return tiles.empty() ? tiles : Tag("dl", {{"class", "tiles"}}, tiles);
}

std::string Against(const ReportedRun& run, const Yardsticks& yardsticks) {
  if (!run.evaluated()) return "";
  const auto name = [](const Json& results) {
    return results.is_object() ? FileNameOf(results) : std::string();
  };
  const std::string before = name(yardsticks.before), never = name(yardsticks.retain);
  if (before.empty() && never.empty()) {
    return "Compared with nothing: neither results from before unlearning nor of a model that "
           "never "
           "saw the data were given.";
  }
  std::string text = "Compared with ";
  if (!before.empty()) text += "the model before unlearning (" + before + ")";
  if (!never.empty()) {
    text += (before.empty() ? "" : " and with ") +
            ("a model that never saw the forget set (" + never + ")");
  }
  return text + ".";
}

}  // namespace

Markup VerdictHeader(const ReportedRun& run, const Yardsticks& yardsticks) {
  const Verdict verdict = VerdictOf(run, yardsticks);
  std::string eyebrow = run.name;
  if (run.evaluated()) {
    for (const Json* source : SourcesOf(run.results)) {
      for (const char* key : {"suite", "split"}) {
        const std::string part = StringOr(*source, key, "");
        if (!part.empty()) eyebrow += " · " + part;
      }
    }
  } else {
    const std::string command = StringOr(run.record, "command", "");
    if (!command.empty()) eyebrow += " · grin " + command;
  }
  Markup findings;
  for (const Finding& finding : verdict.findings) findings += DrawFinding(finding);
  // Attacks bring what they are compared with along.
  const bool attacks_alone = run.evaluated() && verdict.findings.size() == 1;
  const std::string against = attacks_alone ? "" : Against(run, yardsticks);
  return Tag("section", {{"class", "verdict"}, {"aria-labelledby", "verdict"}},
             TextTag("p", {{"class", "eyebrow"}}, eyebrow) +
                 TextTag("h1", {{"id", "verdict"}}, verdict.headline) +
                 (against.empty() ? Markup() : TextTag("p", {{"class", "against"}}, against)) +
                 Tiles(run, yardsticks, verdict) + Tag("ul", {{"class", "findings"}}, findings));
}

}  // namespace grin
