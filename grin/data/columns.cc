#include "grin/data/columns.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <vector>

#include "grin/base/comma_list.h"
#include "grin/base/error.h"

namespace grin {
namespace {

// In order of preference. The last column alone is enough for plain text and conversations.
const Columns kKnownColumns[] = {{"question", "answer"},
                                 {"prompt", "response"},
                                 {"prompt", "completion"},
                                 {"instruction", "output"},
                                 {"", "messages", true},
                                 {"", "conversations", true},
                                 {"prompt", "gt"},            // MUSE
                                 {"prompt", "continuation"},  // RealToxicityPrompts
                                 {"", "text"}};

std::string Keys(const Json& fields) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : fields.items()) keys.push_back(key);
  return fmt::format("{}", fmt::join(keys, ", "));
}

// nullptr when the record has no such column, nor a field of that path.
const Json* Find(const Json& fields, const std::string& column) {
  if (!fields.is_object()) return nullptr;
  if (const auto found = fields.find(column); found != fields.end()) return &*found;
  for (size_t dot = column.find('.'); dot != std::string::npos; dot = column.find('.', dot + 1)) {
    const auto found = fields.find(column.substr(0, dot));
    if (found == fields.end()) continue;
    if (const Json* inner = Find(*found, column.substr(dot + 1))) return inner;
  }
  return nullptr;
}

}  // namespace

Columns ParseColumns(const std::string& text) {
  Columns columns;
  for (const std::string& part : CommaParts(text)) {
    const size_t equals = part.find('=');
    const std::string role = part.substr(0, equals);
    constexpr std::string_view kRoles[] = {"prompt", "response", "text", "messages"};
    if (equals == std::string::npos || equals + 1 == part.size() ||
        !std::ranges::count(kRoles, role)) {
      BadUsage("data",
               "--columns '{}' is not of the form prompt=NAME,response=NAME, text=NAME or "
               "messages=NAME",
               text);
    }
    (role == "prompt" ? columns.prompt : columns.response) = part.substr(equals + 1);
    columns.has_messages |= role == "messages";
  }
  if (columns.response.empty()) {
    BadUsage("data", "--columns '{}' names no response (or text, or messages) column", text);
  }
  return columns;
}

Columns FindColumns(const Record& record) {
  for (const Columns& known : kKnownColumns) {
    if (record.fields.contains(known.response) &&
        (known.prompt.empty() || record.fields.contains(known.prompt))) {
      return known;
    }
  }
  // A half that is there tells more than the whole list.
  for (const Columns& known : kKnownColumns) {
    if (!known.prompt.empty() && record.fields.contains(known.prompt)) {
      BadInput("data",
               "{}: '{}' is missing; the record has {} (name others: --columns "
               "prompt=..,response=..)",
               record.Where(), known.response, Keys(record.fields));
    }
  }
  BadInput("data",
           "{}: no known columns; the record has {}; expected question and answer, prompt "
           "and response, prompt and completion, instruction and output, messages, or text (or "
           "name them: --columns prompt=..,response=..)",
           record.Where(), Keys(record.fields));
}

const Json& ColumnOf(const Record& record, const std::string& column) {
  if (const Json* value = Find(record.fields, column)) return *value;
  BadInput("data", "{}: '{}' is missing; the record has {}", record.Where(), column,
           Keys(record.fields));
}

}  // namespace grin
