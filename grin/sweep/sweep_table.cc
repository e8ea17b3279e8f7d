#include "grin/sweep/sweep_table.h"

#include <algorithm>
#include <map>
#include <set>

#include "grin/base/error.h"

namespace grin {
namespace {

Json Number(const std::optional<double>& value) { return value ? Json(*value) : Json(); }

Json SpreadJson(const Spread& spread) {
  return {{"mean", spread.mean}, {"spread", spread.deviation}, {"n", spread.count}};
}

Json JudgementJson(const Judgement& judgement) {
  return {{"utility", Number(judgement.utility)}, {"left", Number(judgement.left)}};
}

// The values of a figure, by seed, on one of the three models.
std::vector<double> ValuesOfSeeds(const std::vector<const RunOutcome*>& seeds,
                                  const std::string& name, MeasuredFigure ComparedFigure::*side,
                                  Records which) {
  std::vector<double> values;
  for (const RunOutcome* outcome : seeds) {
    const auto found = outcome->figures.find(name);
    if (found == outcome->figures.end()) continue;
    if (const auto value = (found->second.*side).Of(which)) values.push_back(*value);
  }
  return values;
}

Json FiguresOfSide(const std::vector<const RunOutcome*>& seeds,
                   MeasuredFigure ComparedFigure::*side, Records which) {
  std::set<std::string> names;
  for (const RunOutcome* outcome : seeds) {
    for (const auto& [name, figure] : outcome->figures) names.insert(name);
  }
  Json figures = Json::object();
  for (const std::string& name : names) {
    if (const auto spread = SpreadOf(ValuesOfSeeds(seeds, name, side, which))) {
      figures[name] = SpreadJson(*spread);
    }
  }
  return figures;
}

// One setting as far as its runs are done.
struct Row {
  std::vector<const RunOutcome*> seeds;
  Judgement chosen_by;
  bool eligible = false;
  Json json;
};

Row RowOf(const SweepSetting& setting, const SweepPlan& plan, const ChooseOptions& choose,
          const std::vector<SweepRunState>& runs) {
  const Records choosing = choose.held_out ? Records::kEven : Records::kAll,
                reporting = choose.held_out ? Records::kOdd : Records::kAll;
  Row row;
  Json seeds = Json::array(), hashes = Json::array(), failures = Json::array(),
       guards = Json::array();
  std::vector<RunFigures> figures;
  std::vector<double> seconds;
  size_t open = 0;
  bool hopeless = false, passed_over = false;
  for (const size_t i : setting.runs) {
    const SweepRunState& state = runs[i];
    passed_over = passed_over || state.passed_over;
    hopeless = hopeless || (state.skipped && !state.passed_over) || (state.outcome && state.hopeless);
    if (!state.failure.empty()) failures.push_back(state.failure);
    if (!state.outcome) {
      open += !state.skipped && state.failure.empty();
      continue;
    }
    row.seeds.push_back(&*state.outcome);
    figures.push_back(state.outcome->figures);
    seeds.push_back(plan.runs[i].seed);
    hashes.push_back(plan.runs[i].hash);
    const Json& document = state.outcome->document;
    seconds.push_back(document.at("seconds").at("all").get<double>());
    if (const std::string guard = document.value("guard", std::string()); !guard.empty()) {
      guards.push_back(fmt::format("seed {}: {}", plan.runs[i].seed, guard));
    }
  }
  row.json = {{"method", setting.method},
              {"settings", setting.varied},
              {"seeds", seeds},
              {"runs", hashes},
              {"open", open},
              {"hopeless", hopeless},
              {"passed_over", passed_over},
              {"failures", failures},
              {"guards", guards}};
  if (const auto spread = SpreadOf(seconds)) row.json["seconds"] = SpreadJson(*spread);
  row.json["figures"] = FiguresOfSide(row.seeds, &ComparedFigure::model, reporting);
  std::vector<double> came_back;
  for (const RunFigures& one : figures) {
    if (const auto share = LargestCameBack(one, reporting)) came_back.push_back(*share);
  }
  if (const auto spread = SpreadOf(came_back)) row.json["figures"][kCameBack] = SpreadJson(*spread);
  row.chosen_by = JudgeSetting(figures, choose, choosing);
  row.json["chosen_by"] = JudgementJson(row.chosen_by);
  row.json["reported"] = JudgementJson(JudgeSetting(figures, choose, reporting));
  row.eligible = !hopeless && !passed_over && open == 0 && failures.empty() && !row.seeds.empty();
  row.json["best"] = Json::array();
  return row;
}

// What may mislead a reader.
std::vector<std::string> NotesOf(const SweepPlan& plan, const ChooseOptions& choose,
                                 const std::vector<SweepRunState>& runs, const Json& rows,
                                 const std::map<std::string, int64_t>& tried) {
  std::vector<std::string> notes = plan.notes;
  std::string counts;
  std::set<int64_t> numbers;
  for (const auto& [method, count] : tried) {
    counts += fmt::format("{}{} of {}", counts.empty() ? "" : ", ", count, method);
    numbers.insert(count);
  }
  notes.push_back(fmt::format("settings tried: {}{}", counts,
                              numbers.size() > 1
                                  ? "; WARNING: a method with more settings has more chances to be "
                                    "chosen, so compare methods at equal numbers"
                                  : ""));
  if (choose.held_out) {
    notes.push_back(
        "settings are chosen by the records of even number and reported by those of odd number; "
        "figures without records are of all");
  }
  std::set<std::string> versions, processors, devices;
  size_t open = 0, failed = 0;
  for (const SweepRunState& state : runs) {
    open += !state.outcome && !state.skipped && state.failure.empty();
    failed += !state.failure.empty();
    if (!state.outcome) continue;
    const Json& document = state.outcome->document;
    versions.insert(document.value("grin_version", "unknown"));
    processors.insert(document.value("processor", "unknown"));
    devices.insert(document.value("device", "unknown"));
  }
  if (open > 0)
    notes.push_back(fmt::format("WARNING: {} of {} runs are not done", open, runs.size()));
  if (failed > 0)
    notes.push_back(fmt::format("WARNING: {} of {} runs failed", failed, runs.size()));
  for (const auto& [what, several] :
       {std::pair("versions of grin", versions), std::pair("processors", processors)}) {
    if (several.size() > 1) {
      notes.push_back(
          fmt::format("WARNING: runs are from several {}: {}", what, fmt::join(several, "; ")));
    }
  }
  if (!processors.empty()) {
    notes.push_back(fmt::format("processor {}; device {}", fmt::join(processors, "; "),
                                fmt::join(devices, ", ")));
  }
  const bool any = std::ranges::any_of(rows, [](const Json& row) { return !row["best"].empty(); });
  if (!any) {
    notes.push_back(
        fmt::format("no setting whose runs are all done keeps {} of the utility", choose.floor));
  }
  return notes;
}

}  // namespace

Json SweepTable(const SweepFile& file, const SweepPlan& plan, const ChooseOptions& choose,
                const std::vector<SweepRunState>& runs) {
  std::vector<Row> rows;
  std::map<std::string, int64_t> tried;
  for (const SweepSetting& setting : plan.settings) {
    rows.push_back(RowOf(setting, plan, choose, runs));
    tried[setting.method] += !rows.back().seeds.empty();
  }
  // The best of all, and of each method.
  const auto mark = [&](const std::string& method, const char* as) {
    std::vector<Judgement> judged;
    for (size_t i = 0; i < rows.size(); ++i) {
      const bool counts = rows[i].eligible && (method.empty() || plan.settings[i].method == method);
      judged.push_back(counts ? rows[i].chosen_by : Judgement{});
    }
    if (const auto best = Choose(judged, choose.floor)) rows[*best].json["best"].push_back(as);
  };
  mark("", "all");
  for (const SweepMethod& method : file.methods) mark(method.name, "method");

  const Records reporting = choose.held_out ? Records::kOdd : Records::kAll;
  std::vector<const RunOutcome*> all;
  Json table = {{"format", "grin-sweep-table-1"}, {"rows", Json::array()}};
  for (Row& row : rows) {
    all.insert(all.end(), row.seeds.begin(), row.seeds.end());
    table["rows"].push_back(std::move(row.json));
  }
  table["before"] = FiguresOfSide(all, &ComparedFigure::before, reporting);
  table["reference"] = FiguresOfSide(all, &ComparedFigure::reference, reporting);
  table["choose"] = {{"utility", choose.utility},
                     {"floor", choose.floor},
                     {"left", choose.left},
                     {"held_out", choose.held_out}};
  table["seeds"] = file.seeds;
  table["tried"] = tried;
  table["notes"] = NotesOf(plan, choose, runs, table["rows"], tried);
  return table;
}

}  // namespace grin
