#include "grin/data/example.h"

#include <map>
#include <optional>

#include "grin/base/error.h"
#include "grin/io/table.h"

namespace grin {
namespace {

struct Columns {
  std::string prompt, response;  // prompt is empty where response is plain text
};

const Columns kKnownColumns[] = {{"question", "answer"},      {"prompt", "response"},
                                 {"prompt", "completion"},    {"instruction", "output"},
                                 {"", "text"}};

std::string Keys(const Json& fields) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : fields.items()) keys.push_back(key);
  return fmt::format("{}", fmt::join(keys, ", "));
}

// "prompt=Q,response=A" or "text=BODY".
Columns ParseColumns(const std::string& text) {
  Columns columns;
  size_t begin = 0;
  while (begin <= text.size()) {
    const size_t end = std::min(text.find(',', begin), text.size());
    const std::string part = text.substr(begin, end - begin);
    const size_t equals = part.find('=');
    const std::string role = part.substr(0, equals);
    if (equals == std::string::npos || equals + 1 == part.size() ||
        (role != "prompt" && role != "response" && role != "text")) {
      BadUsage("data", "--columns '{}' is not of the form prompt=NAME,response=NAME or text=NAME",
               text);
    }
    (role == "prompt" ? columns.prompt : columns.response) = part.substr(equals + 1);
    begin = end + 1;
  }
  if (columns.response.empty()) {
    BadUsage("data", "--columns '{}' names no response (or text) column", text);
  }
  return columns;
}

Columns FindColumns(const Record& first) {
  for (const Columns& known : kKnownColumns) {
    if (first.fields.contains(known.response) &&
        (known.prompt.empty() || first.fields.contains(known.prompt))) {
      return known;
    }
  }
  // A half that is there tells more than the whole list.
  for (const Columns& known : kKnownColumns) {
    if (!known.prompt.empty() && first.fields.contains(known.prompt)) {
      BadInput("data", "{}: '{}' is missing; the record has {}", first.Where(), known.response,
               Keys(first.fields));
    }
  }
  BadInput("data", "{}: no known columns; the record has {}; expected question and answer, prompt "
           "and response, prompt and completion, instruction and output, or text (or name them: "
           "--columns prompt=..,response=..)", first.Where(), Keys(first.fields));
}

std::string Text(const Record& record, const std::string& column) {
  const auto found = record.fields.find(column);
  if (found == record.fields.end()) {
    BadInput("data", "{}: '{}' is missing; the record has {}", record.Where(), column,
             Keys(record.fields));
  }
  if (!found->is_string()) {
    BadInput("data", "{}: '{}' is {}; it must be text", record.Where(), column,
             found->type_name());
  }
  return found->get<std::string>();
}

// A list of strings, or one string, where the record has the column.
std::vector<std::string> Strings(const Record& record, const char* column) {
  const auto found = record.fields.find(column);
  if (found == record.fields.end() || found->is_null()) return {};
  const Json list = found->is_array() ? *found : Json::array({*found});
  std::vector<std::string> strings;
  for (const Json& item : list) {
    if (!item.is_string()) {
      BadInput("data", "{}: '{}' holds {}; it must hold text", record.Where(), column,
               item.type_name());
    }
    strings.push_back(item.get<std::string>());
  }
  return strings;
}

bool IsBlank(const std::string& text) {
  return text.find_first_not_of(" \t\r\n") == std::string::npos;
}

}  // namespace

std::vector<Example> LoadExamples(const std::filesystem::path& path, const std::string& columns) {
  const std::vector<Record> records = ReadTable(path);
  if (records.empty()) BadInput("data", "{}: has no records", path.string());
  const Columns names = columns.empty() ? FindColumns(records.front()) : ParseColumns(columns);
  std::vector<Example> examples;
  examples.reserve(records.size());
  for (const Record& record : records) {
    Example example;
    if (!names.prompt.empty()) {
      example.prompt = Text(record, names.prompt);
      if (IsBlank(example.prompt)) {
        BadInput("data", "{}: '{}' is empty", record.Where(), names.prompt);
      }
    }
    example.response = Text(record, names.response);
    if (IsBlank(example.response)) {
      BadInput("data", "{}: '{}' is empty", record.Where(), names.response);
    }
    example.keywords = Strings(record, "keywords");
    for (const char* column : {"perturbed_answer", "alternate_answer", "alternate", "false_answer"}) {
      for (std::string& text : Strings(record, column)) {
        example.alternatives.push_back(std::move(text));
      }
    }
    example.fields = record.fields;
    example.where = record.Where();
    examples.push_back(std::move(example));
  }
  return examples;
}

void RefuseOverlap(const std::vector<Example>& forget, const std::vector<Example>& retain) {
  std::map<std::pair<std::string_view, std::string_view>, const Example*> seen;
  for (const Example& example : forget) seen[{example.prompt, example.response}] = &example;
  const Example *first_forget = nullptr, *first_retain = nullptr;
  int64_t shared = 0;
  for (const Example& example : retain) {
    const auto found = seen.find({example.prompt, example.response});
    if (found == seen.end()) continue;
    if (shared++ == 0) {
      first_forget = found->second;
      first_retain = &example;
    }
  }
  if (shared == 0) return;
  BadInput("data", "{} and {} are the same record, and {} in all are in both sets; what is to be "
           "forgotten cannot be retained (--allow-overlap accepts this)", first_forget->where,
           first_retain->where, shared);
}

}  // namespace grin
