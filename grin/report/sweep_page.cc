#include "grin/report/sweep_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "grin/base/atomic_file.h"
#include "grin/report/chart.h"
#include "grin/report/charts.h"
#include "grin/report/figures.h"
#include "grin/report/metric_info.h"
#include "grin/report/page.h"
#include "grin/report/sections.h"
#include "grin/suite/aggregate.h"

namespace grin {
namespace {

namespace fs = std::filesystem;

constexpr const char* kCameBackFigure = "came_back";

// What a chart has as its height, in the order of the page: before any attack, then after.
struct ForgottenFigure {
  const char* name;
  bool after_attack;
};
constexpr ForgottenFigure kForgottenFigures[] = {{"forget_quality", false},
                                                 {"forget_keyword_accuracy", false},
                                                 {"plain_keyword_accuracy", false},
                                                 {"forget_Q_A_Prob", false},
                                                 {"relearn_keyword_accuracy", true},
                                                 {"relearn_mild_keyword_accuracy", true},
                                                 {"round_q4_0_keyword_accuracy", true},
                                                 {"leak_at_64", true},
                                                 {kCameBackFigure, true}};

// Methods have colours of their own up to here; further ones share them again.
constexpr size_t kSeriesColours = 8;

std::string SeriesClass(size_t i) { return fmt::format("series-{}", i % kSeriesColours); }

std::string FigureLabel(const std::string& name) {
  if (name == kCameBackFigure) return "Largest share that came back";
  for (const AggregateInfo& info : kAggregates) {
    if (info.name == name) return std::string(info.label);
  }
  return InfoOf(name).label;
}

std::optional<double> MeanIn(const Json& figures, const std::string& name) {
  const auto found = figures.find(name);
  return found == figures.end() ? std::nullopt : NumberOf(*found, "mean");
}

std::string RowName(const Json& row) {
  std::string name = StringOr(row, "method", "");
  for (const auto& [key, value] : row["settings"].items()) {
    name += fmt::format(", {} {}", key, Plain(value));
  }
  return name;
}

std::vector<std::string> MethodsOf(const Json& table) {
  std::vector<std::string> methods;
  for (const Json& row : table["rows"]) {
    const std::string method = StringOr(row, "method", "");
    if (std::ranges::find(methods, method) == methods.end()) methods.push_back(method);
  }
  return methods;
}

std::vector<FrontSeries> SeriesOf(const Json& table, const std::string& kept,
                                  const std::string& forgotten) {
  std::vector<FrontSeries> series;
  const std::vector<std::string> methods = MethodsOf(table);
  for (size_t i = 0; i < methods.size(); ++i) {
    FrontSeries one{.name = methods[i], .css_class = SeriesClass(i), .points = {}};
    for (const Json& row : table["rows"]) {
      if (row["method"] != methods[i]) continue;
      const auto x = MeanIn(row["figures"], kept), y = MeanIn(row["figures"], forgotten);
      if (x && y) one.points.push_back({*x, *y, RowName(row)});
    }
    if (!one.points.empty()) series.push_back(std::move(one));
  }
  return series;
}

std::vector<TradeOffPoint> MarksOf(const Json& table, const std::string& kept,
                                   const std::string& forgotten) {
  std::vector<TradeOffPoint> marks;
  for (const auto& [side, label, css_class] : {std::tuple("before", "before", "before"),
                                               std::tuple("reference", "never saw it", "never")}) {
    const auto x = MeanIn(table[side], kept);
    auto y = MeanIn(table[side], forgotten);
    if (forgotten == kCameBackFigure) y = std::string(side) == "before" ? 1.0 : 0.0;
    if (x && y) marks.push_back({*x, *y, label, css_class});
  }
  return marks;
}

Section CurvesSection(const Json& table, bool after_attack) {
  Section section{.id = after_attack ? "after" : "before-attack",
                  .title = after_attack ? "Left after attacks" : "Left before any attack",
                  .link = after_attack ? "After attacks" : "Before attacks",
                  .content = {}};
  for (const Json& utility : table["choose"]["utility"]) {
    const std::string kept = utility.get<std::string>();
    Markup charts;
    std::vector<LegendKey> keys;
    for (const ForgottenFigure& figure : kForgottenFigures) {
      if (figure.after_attack != after_attack) continue;
      const std::vector<FrontSeries> series = SeriesOf(table, kept, figure.name);
      if (series.empty()) continue;
      const bool p_value = std::string_view(figure.name) == "forget_quality";
      charts += FrontChart(fmt::format("front-{}-{}", kept, figure.name), series,
                           MarksOf(table, kept, figure.name),
                           {.kept_label = FigureLabel(kept),
                            .forgotten_label = FigureLabel(figure.name),
                            .log_forgotten = p_value,
                            .less_is_better = !p_value});
      for (const FrontSeries& one : series) {
        const bool there =
            std::ranges::find(keys, one.css_class, &LegendKey::css_class) != keys.end();
        if (!there) keys.push_back({one.css_class, one.name});
      }
    }
    if (charts.empty()) continue;
    section.content += Figure(
        charts, Legend(keys),
        "A line goes through the settings of a method that no other of its settings beats in both "
        "figures; the faint points are all the others. Down (forget quality: up): more is "
        "forgotten. "
        "Right: more of the rest is kept. Means over the seeds.");
  }
  return section;
}

Section SettingsSection(const Json& table) {
  std::vector<std::string> names;
  const auto add = [&](const std::string& name) {
    const bool measured = std::ranges::any_of(
        table["rows"], [&](const Json& row) { return MeanIn(row["figures"], name).has_value(); });
    if (measured && std::ranges::find(names, name) == names.end()) names.push_back(name);
  };
  for (const char* key : {"utility", "left"}) {
    for (const Json& name : table["choose"][key]) add(name.get<std::string>());
  }
  for (const ForgottenFigure& figure : kForgottenFigures) add(figure.name);
  const auto header = [](const std::string& label, bool numeric) {
    return Tag("th", {{"scope", "col"}, {"aria-sort", "none"}, {"class", numeric ? "number" : ""}},
               Tag("button", {{"type", "button"}}, Text(label)));
  };
  Markup head = header("Setting", false) + header("Seeds", true) + header("Utility kept", true) +
                header("Left", true);
  for (const std::string& name : names) head += header(FigureLabel(name), true);
  head += header("", false);
  const auto number = [](const std::optional<double>& value, const std::string& text) {
    return TextTag("td",
                   {{"class", value ? "number" : "number none"},
                    {"data-value", value ? fmt::format("{}", *value) : ""}},
                   value ? text : "–");
  };
  Markup rows;
  for (const Json& row : table["rows"]) {
    const auto utility = NumberOf(row["reported"], "utility"),
               left = NumberOf(row["reported"], "left");
    const double seeds = static_cast<double>(row["seeds"].size());
    Markup cells = TextTag("th", {{"scope", "row"}}, RowName(row)) +
                   number(seeds, FormatCount(seeds)) + number(utility, FormatFigure(utility)) +
                   number(left, FormatFigure(left));
    for (const std::string& name : names) {
      const auto mean = MeanIn(row["figures"], name);
      std::string text = FormatFigure(mean);
      if (mean && row["figures"][name]["n"] > 1) {
        text += " ± " + FormatFigure(row["figures"][name]["spread"].get<double>());
      }
      cells += number(mean, text);
    }
    std::string words;
    for (const Json& best : row["best"]) {
      words += (words.empty() ? "" : ", ") +
               std::string(best == "all" ? "best of all" : "best of its method");
    }
    if (row["hopeless"] == true) words = "hopeless";
    if (row["open"] > 0) words = "not done";
    if (!row["failures"].empty()) words = "failed";
    rows += Tag("tr", {}, cells + TextTag("td", {{"class", "words"}}, words));
  }
  Section section{.id = "table", .title = "All settings", .link = "Settings", .content = {}};
  section.content = Tag("div",
                        {{"class", "scroll"},
                         {"tabindex", "0"},
                         {"role", "region"},
                         {"aria-label", "Table of settings"}},
                        Tag("table", {{"class", "runs sortable"}, {"id", "runs"}},
                            TextTag("caption", {}, "A column's name sorts by it") +
                                Tag("thead", {}, Tag("tr", {}, head)) + Tag("tbody", {}, rows)));
  return section;
}

Section NotesSection(const Json& table) {
  Section section{.id = "notes", .title = "Notes", .link = "Notes", .content = {}};
  for (const Json& note : table["notes"]) section.content += Paragraph(Plain(note));
  return section;
}

Markup SweepHeader(const std::string& name, const Json& table) {
  std::string headline = "No setting keeps the rest and is whole";
  for (const Json& row : table["rows"]) {
    for (const Json& best : row["best"]) {
      if (best == "all") headline = "Best: " + RowName(row);
    }
  }
  std::vector<std::string> utility, left;
  for (const Json& figure : table["choose"]["utility"])
    utility.push_back(FigureLabel(Plain(figure)));
  for (const Json& figure : table["choose"]["left"]) left.push_back(FigureLabel(Plain(figure)));
  return Tag(
      "section", {{"class", "verdict"}, {"aria-labelledby", "verdict"}},
      TextTag("p", {{"class", "eyebrow"}}, "sweep " + name) +
          TextTag("h1", {{"id", "verdict"}}, headline) +
          TextTag("p", {{"class", "against"}},
                  fmt::format("{} settings of {} methods, {} seeds. The best has the least of: "
                              "{}; among those that keep {} of: {}.",
                              table["rows"].size(), MethodsOf(table).size(), table["seeds"].size(),
                              fmt::join(left, ", "), Plain(table["choose"]["floor"]),
                              fmt::join(utility, ", "))));
}

}  // namespace

std::optional<Json> LoadSweepTable(const fs::path& path) {
  std::error_code error;
  const fs::path file = fs::is_directory(path, error) ? path / "table.json" : path;
  if (!fs::is_regular_file(file, error)) return std::nullopt;
  Json table = Json::parse(ReadFile(file), nullptr, false);
  const bool is_table = table.is_object() && StringOr(table, "format", "") == "grin-sweep-table-1";
  return is_table ? std::optional(std::move(table)) : std::nullopt;
}

std::string RenderSweepPage(const std::string& name, const Json& table) {
  Markup body = SweepHeader(name, table), links;
  for (const Section& section : {CurvesSection(table, false), CurvesSection(table, true),
                                 SettingsSection(table), NotesSection(table)}) {
    if (section.empty()) continue;
    body += Render(section);
    links += Tag("li", {}, TextTag("a", {{"href", "#" + section.id}}, section.link));
  }
  return RenderPage("GRIN sweep: " + name, links, body);
}

}  // namespace grin
