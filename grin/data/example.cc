#include "grin/data/example.h"

#include <map>
#include <optional>

#include "grin/base/error.h"
#include "grin/base/log.h"
#include "grin/base/space.h"
#include "grin/data/columns.h"
#include "grin/data/conversation.h"
#include "grin/io/table.h"

namespace grin {
namespace {

// Text, {"text": ...} as RealToxicityPrompts has it.
std::string Text(const Record& record, const std::string& column, const Json& value) {
  if (value.is_object() && value.contains("text")) return Text(record, column, value["text"]);
  if (!value.is_string()) {
    BadInput("data", "{}: '{}' is {}; it must be text", record.Where(), column, value.type_name());
  }
  return value.get<std::string>();
}

// An answer that is the number of one of `choices` (WMDP, MMLU): that choice, with the others as
// alternatives. Error (bad input) when there is none of that number.
std::string TakeChoice(const Record& record, const Json& number, Example& example) {
  const std::vector<std::string> choices = TextsOf(record.fields, "choices", record.Where());
  const auto chosen = number.get<int64_t>();
  if (chosen < 0 || chosen >= static_cast<int64_t>(choices.size())) {
    BadInput("data", "{}: the answer is choice {}, and there are {}", record.Where(), chosen,
             choices.size());
  }
  for (size_t i = 0; i < choices.size(); ++i) {
    if (static_cast<int64_t>(i) != chosen) example.alternatives.push_back(choices[i]);
  }
  return choices[static_cast<size_t>(chosen)];
}

void ReadPrompt(const Record& record, const std::string& column, Example& example) {
  const Json& value = ColumnOf(record, column);
  if (IsConversation(value)) {
    example.turns = ReadMessages(value, record.Where());
  } else {
    example.prompt = Text(record, column, value);
    // Alpaca's records add what the instruction is about in a column of its own.
    const auto input = column == "instruction" ? record.fields.find("input") : record.fields.end();
    if (input != record.fields.end() && input->is_string() &&
        !IsBlank(input->get_ref<const std::string&>())) {
      example.prompt += '\n';
      example.prompt += input->get<std::string>();
    }
  }
}

void ReadResponse(const Record& record, const Columns& columns, Example& example) {
  const std::string& column = columns.response;
  const bool alone = columns.prompt.empty();
  const Json& given = ColumnOf(record, column);
  const Json value = columns.has_messages ? ConversationIn(given, column, record.Where()) : given;
  if (IsConversation(value)) {
    std::vector<Message> messages = std::move(example.turns);
    if (!alone && messages.empty()) messages.push_back({"user", example.prompt});
    for (Message& message : ReadMessages(value, record.Where())) {
      messages.push_back(std::move(message));
    }
    example.response = TakeLastAnswer(messages, record.Where());
    example.turns = std::move(messages);
  } else if (value.is_number_integer() && record.fields.contains("choices")) {
    example.response = TakeChoice(record, value, example);
  } else {
    example.response = Text(record, column, value);
  }
}

Example ReadExample(const Record& record, const Columns& columns) {
  Example example;
  const bool alone = columns.prompt.empty();
  if (!alone) ReadPrompt(record, columns.prompt, example);
  ReadResponse(record, columns, example);
  const bool talks = !example.turns.empty();
  if (talks) {
    example.prompt = JoinContents(example.turns);
    // One user's turn is what a plain prompt becomes.
    const Message& first = example.turns[0];
    const bool is_plain = first.role == "user" && first.others.is_null();
    if (example.turns.size() == 1 && is_plain) example.turns.clear();
  }
  if (talks && IsBlank(example.prompt)) {
    BadInput("data", "{}: the turns before the answer are empty; a prompt needs words",
             record.Where());
  }
  if (!alone && IsBlank(example.prompt)) {
    BadInput("data", "{}: '{}' is empty", record.Where(), columns.prompt);
  }
  if (!example.is_text() && IsBlank(example.response)) {
    BadInput("data", "{}: '{}' is empty", record.Where(), columns.response);
  }
  example.keywords = TextsOf(record.fields, "keywords", record.Where());
  for (const char* column : {"perturbed_answer", "alternate_answer", "alternate", "false_answer"}) {
    for (std::string& text : TextsOf(record.fields, column, record.Where())) {
      example.alternatives.push_back(std::move(text));
    }
  }
  example.where = record.Where();
  return example;
}

}  // namespace

std::vector<Example> LoadExamples(const std::filesystem::path& path, const std::string& columns) {
  std::vector<Record> records = ReadTable(path);
  Columns names;
  std::vector<Example> examples;
  examples.reserve(records.size());
  int64_t blank = 0;
  const std::string* file = nullptr;
  for (Record& record : records) {
    if (!file || record.file != *file) {
      names = columns.empty() ? FindColumns(record) : ParseColumns(columns);
      file = &record.file;
    }
    Example example = ReadExample(record, names);
    if (example.is_text() && IsBlank(example.response)) {
      ++blank;
      continue;
    }
    example.fields = std::move(record.fields);
    examples.push_back(std::move(example));
  }
  if (examples.empty()) BadInput("data", "{}: every text is blank", path.string());
  if (blank > 0) Info("{}: {} blank texts are left out", path.string(), blank);
  return examples;
}

std::vector<std::string> TextsOf(const Json& fields, const char* column, std::string_view where) {
  const auto found = fields.find(column);
  if (found == fields.end() || found->is_null()) return {};
  const Json list = found->is_array() ? *found : Json::array({*found});
  std::vector<std::string> texts;
  for (const Json& text : list) {
    if (!text.is_string()) {
      BadInput("data", "{}: '{}' holds {}; it must hold text", where, column, text.type_name());
    }
    texts.push_back(text.get<std::string>());
  }
  return texts;
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
  BadInput("data",
           "{} and {} are the same record, and {} in all are in both sets; what is to be "
           "forgotten cannot be retained (--allow-overlap accepts this)",
           first_forget->where, first_retain->where, shared);
}

}  // namespace grin
