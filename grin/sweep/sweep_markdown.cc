// The table of a sweep for people.

#include <algorithm>
#include <set>

#include "grin/sweep/choice.h"
#include "grin/sweep/sweep_plan.h"
#include "grin/sweep/sweep_table.h"

namespace grin {
namespace {

std::string Cell(const Json& number) {
  return number.is_number() ? fmt::format("{:.3f}", number.get<double>()) : "-";
}

std::string SpreadCell(const Json& figures, const std::string& name) {
  const auto found = figures.find(name);
  if (found == figures.end()) return "-";
  const std::string mean = fmt::format("{:.3f}", found->at("mean").get<double>());
  return found->at("n") > 1 ? fmt::format("{} ± {:.3f}", mean, found->at("spread").get<double>())
                            : mean;
}

std::string Escaped(std::string text) {
  for (size_t at = 0; (at = text.find('|', at)) != std::string::npos; at += 2)
    text.insert(at, "\\");
  return text;
}

std::string Line(const std::vector<std::string>& cells) {
  std::string line = "|";
  for (const std::string& cell : cells) line += " " + Escaped(cell) + " |";
  return line + "\n";
}

std::string Header(const std::vector<std::string>& cells) {
  std::string rule = "|";
  for (size_t i = 0; i < cells.size(); ++i) rule += " --- |";
  return Line(cells) + rule + "\n";
}

std::string StateOf(const Json& row) {
  const auto is_best = [&](const char* as) {
    return std::ranges::find(row["best"], Json(as)) != row["best"].end();
  };
  if (is_best("all")) return "**best**";
  if (is_best("method")) return "best of its method";
  if (!row["failures"].empty()) return "failed";
  if (row["hopeless"].get<bool>()) return "hopeless";
  if (row["passed_over"].get<bool>()) return "first seed only";
  if (row["open"] > 0) return fmt::format("{} runs open", row["open"].get<int64_t>());
  return row["guards"].empty() ? "" : "guard";
}

std::vector<std::string> VariedKeys(const Json& table) {
  std::vector<std::string> keys;
  for (const Json& row : table["rows"]) {
    for (const auto& [key, value] : row["settings"].items()) {
      if (std::ranges::find(keys, key) == keys.end()) keys.push_back(key);
    }
  }
  return keys;
}

std::vector<std::string> SettingCells(const Json& row, const std::vector<std::string>& keys) {
  std::vector<std::string> cells = {row["method"].get<std::string>()};
  for (const std::string& key : keys) {
    const auto found = row["settings"].find(key);
    cells.push_back(found == row["settings"].end() ? ""
                    : found->is_string()           ? found->get<std::string>()
                                                   : found->dump());
  }
  return cells;
}

// A table of these figures, with the models that are compared with first.
std::string FigureTable(const Json& table, const std::vector<std::string>& keys,
                        const std::vector<std::string>& names, bool judged) {
  std::vector<std::string> header = {"method"};
  header.insert(header.end(), keys.begin(), keys.end());
  header.push_back("seeds");
  if (judged) header.insert(header.end(), {"utility kept", "left"});
  header.insert(header.end(), names.begin(), names.end());
  if (judged) header.push_back("");
  std::string text = Header(header);
  for (const char* side : {"before", "reference"}) {
    if (table[side].empty()) continue;
    std::vector<std::string> cells = {std::string(side) == "before" ? "(before)"
                                                                    : "(never taught)"};
    cells.resize(header.size());
    const size_t first = header.size() - names.size() - (judged ? 1 : 0);
    for (size_t i = 0; i < names.size(); ++i) {
      const auto found = table[side].find(names[i]);
      cells[first + i] = found == table[side].end() ? "-" : Cell(found->at("mean"));
    }
    text += Line(cells);
  }
  for (const Json& row : table["rows"]) {
    std::vector<std::string> cells = SettingCells(row, keys);
    cells.push_back(std::to_string(row["seeds"].size()));
    if (judged) {
      cells.push_back(Cell(row["reported"]["utility"]));
      cells.push_back(Cell(row["reported"]["left"]));
    }
    for (const std::string& name : names) cells.push_back(SpreadCell(row["figures"], name));
    if (judged) cells.push_back(StateOf(row));
    text += Line(cells);
  }
  return text;
}

}  // namespace

std::string SweepMarkdown(const Json& table) {
  const std::vector<std::string> keys = VariedKeys(table);
  std::vector<std::string> first;
  std::set<std::string> all;
  for (const Json& row : table["rows"]) {
    for (const auto& [name, figure] : row["figures"].items()) all.insert(name);
  }
  const auto add = [&](const std::string& name) {
    if (all.contains(name) && std::ranges::find(first, name) == first.end()) first.push_back(name);
  };
  for (const char* key : {"utility", "left"}) {
    for (const Json& name : table["choose"][key]) add(name.get<std::string>());
  }
  for (const char* name :
       {kCameBack, "forget_keyword_accuracy", "forget_quality", "model_utility",
        "forget_repetition", "plain_keyword_accuracy", "relearn_keyword_accuracy"}) {
    add(name);
  }
  std::string text = fmt::format(
      "Means over the seeds ± standard deviation. *utility kept*: the least of {} as a share of "
      "the "
      "model before; *left*: {}. The best has the least left among those that keep {}.\n\n",
      fmt::join(table["choose"]["utility"].get<std::vector<std::string>>(), ", "),
      fmt::join(table["choose"]["left"].get<std::vector<std::string>>(), ", "),
      table["choose"]["floor"].get<double>());
  text += FigureTable(table, keys, first, /*judged=*/true) + "\n";
  for (const Json& note : table["notes"]) text += "- " + note.get<std::string>() + "\n";
  for (const Json& row : table["rows"]) {
    for (const char* key : {"failures", "guards"}) {
      for (const Json& why : row[key]) {
        const std::string varied = DescribeVaried(row["settings"]);
        text += fmt::format("- {}{}{}: {}\n", row["method"].get<std::string>(),
                            varied.empty() ? "" : ", ", varied, why.get<std::string>());
      }
    }
  }
  text += "\n### All figures\n\n";
  text += FigureTable(table, keys, {all.begin(), all.end()}, /*judged=*/false);
  return text;
}

}  // namespace grin
