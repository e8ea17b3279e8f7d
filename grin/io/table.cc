#include "grin/io/table.h"

#include <algorithm>
#include <string_view>

#include "grin/base/atomic_file.h"
#include "grin/base/error.h"
#include "grin/io/csv.h"
#include "grin/io/printable.h"
#include "grin/io/read_json.h"

namespace grin {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kBlank = " \t\r\n";

bool IsBlank(std::string_view text) {
  return text.find_first_not_of(kBlank) == std::string_view::npos;
}

// The file's text, known to be UTF-8 and not blank; the byte-order mark is cut off.
std::string ReadText(const fs::path& path, std::string_view what) {
  std::string text = ReadFile(path);
  const std::string file = path.string();
  if (text.starts_with("PAR1")) BadInput("io", "{}: is Parquet, which is not read here", file);
  if (text.starts_with("\x1f\x8b")) BadInput("io", "{}: is compressed; unpack it first", file);
  if (const auto bad = FindInvalidUtf8(text)) {
    const auto line = 1 + std::count(text.begin(), text.begin() + static_cast<int64_t>(*bad), '\n');
    BadInput("io", "{}:{}: not UTF-8 text: the byte {:#04x} at offset {}", file, line,
             static_cast<unsigned char>(text[*bad]), *bad);
  }
  if (text.starts_with("\xEF\xBB\xBF")) text.erase(0, 3);
  if (IsBlank(text)) BadInput("io", "{}: has no {}", file, what);
  return text;
}

void AddRecord(Json fields, const std::string& file, int64_t line, std::vector<Record>& records) {
  if (!fields.is_object()) {
    BadInput("io", "{}:{}: the record is {}, expected a JSON object", file, line,
             fields.type_name());
  }
  records.push_back({std::move(fields), file, line});
}

// Calls visit(line, number) for each line without its line end.
template <typename Visit>
void ForEachLine(std::string_view text, const Visit& visit) {
  int64_t number = 1;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    visit(line, number++);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
}

std::vector<Record> ReadJsonLines(std::string_view text, const std::string& file) {
  std::vector<Record> records;
  ForEachLine(text, [&](std::string_view line, int64_t number) {
    if (!IsBlank(line)) AddRecord(ParseJson(line, file, {number}), file, number, records);
  });
  return records;
}

// The length of the JSON value at the start of `text`, up to the comma or bracket that ends it.
// What lies between is left to the parser.
size_t ValueLength(std::string_view text) {
  int depth = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      ++depth;
    } else if (depth > 0 && (c == '}' || c == ']')) {
      --depth;
    } else if (depth == 0 && (c == ',' || c == ']')) {
      return i;
    }
  }
  return text.size();
}

// Element by element, so that each record knows its line.
std::vector<Record> ReadJsonArray(std::string_view text, const std::string& file) {
  std::vector<Record> records;
  JsonPlace place;
  const auto advance = [&](size_t count) {
    place.Advance(text.substr(0, count));
    text.remove_prefix(count);
  };
  const auto skip_blank = [&] { advance(std::min(text.find_first_not_of(kBlank), text.size())); };
  skip_blank();
  advance(1);  // the bracket
  skip_blank();
  const bool empty = text.starts_with(']');
  while (!empty) {
    skip_blank();
    const size_t length = ValueLength(text);
    AddRecord(ParseJson(text.substr(0, length), file, place), file, place.line, records);
    advance(length);
    if (text.empty()) {
      BadInput("io", "{}:{}:{}: the array is not closed: the file is cut off", file, place.line,
               place.column);
    }
    if (text[0] == ']') break;
    advance(1);  // the comma
  }
  advance(1);
  skip_blank();
  if (!text.empty()) {
    BadInput("io", "{}:{}:{}: there is text after the end of the array", file, place.line,
             place.column);
  }
  return records;
}

std::vector<Record> ReadCsv(std::string_view text, const std::string& file, char separator) {
  std::vector<Record> records;
  std::vector<std::string> names;
  CsvReader reader(text, file, separator);
  CsvRow row;
  while (reader.Next(row)) {
    if (names.empty()) {
      names = row.fields;
      std::vector<std::string> sorted = names;
      std::ranges::sort(sorted);
      if (const auto twice = std::ranges::adjacent_find(sorted); twice != sorted.end()) {
        BadInput("io", "{}:{}: the column '{}' occurs twice", file, row.line, Printable(*twice));
      }
      continue;
    }
    if (row.fields.size() != names.size()) {
      BadInput("io", "{}:{}: the row has {} fields, the header has {}", file, row.line,
               row.fields.size(), names.size());
    }
    Json fields = Json::object();
    for (size_t i = 0; i < names.size(); ++i) fields[names[i]] = std::move(row.fields[i]);
    records.push_back({std::move(fields), file, row.line});
  }
  return records;
}

std::vector<Record> ReadAny(std::string_view text, const fs::path& path) {
  const std::string file = path.string(), extension = path.extension().string();
  if (extension == ".csv") return ReadCsv(text, file, ',');
  if (extension == ".tsv") return ReadCsv(text, file, '\t');
  const char first = text[text.find_first_not_of(kBlank)];
  if (first == '[') return ReadJsonArray(text, file);
  if (first == '{' || extension == ".json" || extension == ".jsonl") {
    return ReadJsonLines(text, file);
  }
  return ReadCsv(text, file, ',');
}

}  // namespace

std::string Record::Where() const { return fmt::format("{}:{}", file, line); }

std::vector<Record> ReadTable(const fs::path& path) {
  std::vector<Record> records = ReadAny(ReadText(path, "records"), path);
  if (records.empty()) BadInput("io", "{}: has no records", path.string());
  return records;
}

std::vector<std::string> ReadLines(const fs::path& path) {
  std::vector<std::string> lines;
  const std::string text = ReadText(path, "lines");
  ForEachLine(text, [&](std::string_view line, int64_t) {
    if (!IsBlank(line)) lines.emplace_back(line);
  });
  return lines;
}

}  // namespace grin
