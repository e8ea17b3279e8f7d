#pragma once
// Which columns of a table hold the prompt and the response.

#include <string>

#include "grin/io/table.h"

namespace grin {

struct Columns {
  std::string prompt;         // empty where the response is plain text or a conversation
  std::string response;       // of a conversation: the column with the messages
  bool has_messages = false;  // whether the response is known to be a conversation
};

// "prompt=Q,response=A", "text=BODY" or "messages=CHAT". Error (usage) for anything else.
Columns ParseColumns(const std::string& text);

// The columns of a record, by known names. Error (bad input) listing those it has.
Columns FindColumns(const Record& record);

// The value of a column, or of a field inside one ("prompt.text"). Error (bad input) listing the
// columns that there are.
const Json& ColumnOf(const Record& record, const std::string& column);

}  // namespace grin
