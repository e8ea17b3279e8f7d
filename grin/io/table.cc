#include "grin/io/table.h"

#include <algorithm>
#include <fstream>
#include <string_view>

#include "grin/base/atomic_file.h"
#include "grin/base/error.h"
#include "grin/base/printable.h"
#include "grin/base/read_json.h"
#include "grin/base/space.h"
#include "grin/io/arrow_table.h"
#include "grin/io/csv.h"
#include "grin/io/data_files.h"
#include "grin/io/decompress.h"

namespace grin {
namespace {

namespace fs = std::filesystem;

// Formats that are neither text nor packed text, by their first bytes.
struct OtherFormat {
  std::string_view mark, advice;
};
constexpr OtherFormat kOtherFormats[] = {
    {"PK\x03\x04", "is a ZIP archive; unpack it first"},
    {"BZh", "is packed by bzip2; unpack it first"},
    {"\xfd"
     "7zXZ",
     "is packed by xz; unpack it first"},
    {"\xff\xfe", "is UTF-16; save it as UTF-8"},
    {"\xfe\xff", "is UTF-16; save it as UTF-8"},
    {"PAR1", "is Parquet, which cannot be read here: records are expected as text"},
};

// The text of a file's bytes, unpacked, known to be UTF-8 and not blank; the byte-order mark is cut
// off.
std::string ToText(std::string text, const std::string& file, std::string_view what) {
  if (IsGzip(text)) text = Gunzip(text, file);
  if (IsZstd(text)) text = Unzstd(text, file);
  for (const OtherFormat& other : kOtherFormats) {
    if (text.starts_with(other.mark)) BadInput("io", "{}: {}", file, other.advice);
  }
  RequireUtf8(text, file);
  if (text.starts_with("\xEF\xBB\xBF")) text.erase(0, 3);
  if (IsBlank(text)) BadInput("io", "{}: has no {}", file, what);
  return text;
}

void AddRecord(Json fields, const std::string& file, int64_t line, std::vector<Record>& records) {
  if (fields.is_string()) fields = {{"text", fields}};
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
  const auto skip_blank = [&] { advance(std::min(text.find_first_not_of(kSpace), text.size())); };
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

std::vector<Record> ReadAnyText(std::string_view text, const fs::path& path) {
  const std::string file = path.string();
  std::string extension = path.extension().string();
  if (extension == ".gz" || extension == ".zst") extension = path.stem().extension().string();
  if (extension == ".csv") return ReadCsv(text, file, ',');
  if (extension == ".tsv") return ReadCsv(text, file, '\t');
  const char first = text[text.find_first_not_of(kSpace)];
  if (first != '{' && (extension == ".txt" || extension == ".raw")) {
    return {{Json{{"text", text}}, file, 1}};
  }
  if (first == '[') return ReadJsonArray(text, file);
  if (first == '{' || extension == ".json" || extension == ".jsonl") {
    return ReadJsonLines(text, file);
  }
  return ReadCsv(text, file, ',');
}

// The first bytes of a file; nothing of a pipe, which can be read only once.
std::string Head(const fs::path& path) {
  std::string head(8, '\0');
  std::error_code ignored;
  if (!fs::is_regular_file(path, ignored)) return {};
  std::ifstream in(path, std::ios::binary);
  in.read(head.data(), static_cast<std::streamsize>(head.size()));
  head.resize(static_cast<size_t>(in.gcount()));
  return head;
}

std::vector<Record> ReadOneTable(const fs::path& path) {
  const std::string head = Head(path);
  std::vector<Record> records;
  if (IsParquet(head)) {
    records = ReadParquet(path);
  } else if (IsArrowIpc(head)) {
    records = ReadArrowIpc(path);
  } else {
    records = ReadAnyText(ToText(ReadFile(path), path.string(), "records"), path);
  }
  if (records.empty()) BadInput("io", "{}: has no records", path.string());
  return records;
}

}  // namespace

std::string Record::Where() const { return fmt::format("{}:{}", file, line); }

std::vector<Record> ReadTable(const fs::path& source) {
  std::vector<Record> records;
  for (const fs::path& path : FindDataFiles(source)) {
    for (Record& record : ReadOneTable(path)) records.push_back(std::move(record));
  }
  return records;
}

std::vector<std::string> ReadLines(const fs::path& path) {
  std::vector<std::string> lines;
  const std::string text = ToText(ReadFile(path), path.string(), "lines");
  ForEachLine(text, [&](std::string_view line, int64_t) {
    if (!IsBlank(line)) lines.emplace_back(line);
  });
  return lines;
}

}  // namespace grin
