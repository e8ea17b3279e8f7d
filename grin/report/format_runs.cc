// Tables of runs for the terminal and for other programs.

#include <fmt/format.h>

#include <algorithm>

#include "grin/base/table.h"
#include "grin/report/comparison.h"
#include "grin/report/figures.h"

namespace grin {
namespace {

// The first line is the header; all lines have as many cells.
using Cells = std::vector<std::vector<std::string>>;

// Width on a terminal, near enough: the number of code points.
size_t WidthOf(const std::string& text) {
  return static_cast<size_t>(
      std::ranges::count_if(text, [](char c) { return (c & 0xC0) != 0x80; }));
}

std::vector<size_t> WidthsOf(const Cells& cells) {
  std::vector<size_t> widths(cells.front().size(), 0);
  for (const auto& line : cells) {
    for (size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], WidthOf(line[i]));
  }
  return widths;
}

std::string Padded(const std::string& text, size_t width, bool left) {
  const std::string pad(width - WidthOf(text), ' ');
  return left ? text + pad : pad + text;
}

std::string AsText(const Cells& cells) {
  const std::vector<size_t> widths = WidthsOf(cells);
  std::string text;
  for (const auto& line : cells) {
    std::string row;
    for (size_t i = 0; i < line.size(); ++i) {
      row += (i > 0 ? "  " : "") + Padded(line[i], widths[i], i == 0);
    }
    text += row + "\n";
  }
  return text;
}

std::string AsMarkdown(const Cells& cells) {
  const auto safe = [](const std::string& text) {
    std::string escaped;
    for (const char c : text) {
      if (c == '|') escaped += '\\';
      escaped += c;
    }
    return escaped;
  };
  std::string text;
  for (size_t row = 0; row < cells.size(); ++row) {
    for (const std::string& cell : cells[row]) text += "| " + safe(cell) + " ";
    text += "|\n";
    if (row > 0) continue;
    for (size_t i = 0; i < cells[row].size(); ++i) text += i == 0 ? "|---" : "|---:";
    text += "|\n";
  }
  return text;
}

std::string AsCsv(const Cells& cells) {
  const auto safe = [](const std::string& text) {
    if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
    std::string quoted = "\"";
    for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
    return quoted + "\"";
  };
  std::string text;
  for (const auto& line : cells) {
    for (size_t i = 0; i < line.size(); ++i) {
      if (i > 0) text += ',';
      text += safe(line[i]);
    }
    text += "\n";
  }
  return text;
}

struct Format {
  std::string_view name;
  bool for_people;  // rounded figures and labels; else all digits and the names of --json
  std::string (*format)(const Cells& cells);
};

constexpr Format kFormats[] = {{"text", true, AsText},
                               {"markdown", true, AsMarkdown},
                               {"csv", false, AsCsv},
                               {"json", false, nullptr}};

Cells CellsOf(const Report& report, bool for_people) {
  const std::vector<ComparisonColumn> columns = ColumnsOf(report);
  Cells cells(1, {"run"});
  for (const ComparisonColumn& column : columns) cells[0].push_back(column.name);
  for (const ReportedRun& run : report.runs) {
    cells.push_back({run.name});
    for (const ComparisonColumn& column : columns) {
      const auto value = FigureOf(run, column.name);
      cells.back().push_back(for_people ? FormatFigure(value)
                             : value    ? fmt::format("{}", *value)
                                        : "");
    }
  }
  return cells;
}

}  // namespace

std::string RunFormats() { return NamesOf(kFormats); }

std::string FormatRuns(const Report& report, const std::string& format) {
  const Format& row = FindRow("report", "format", kFormats, format);
  if (!row.format) return SummarizeReport(report).dump() + "\n";
  return row.format(CellsOf(report, row.for_people));
}

}  // namespace grin
