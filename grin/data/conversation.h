#pragma once
// Chat records: a list of messages, as `messages` ({role, content}) or as `conversations`
// ({from, value}) has them.

#include <string>
#include <string_view>
#include <vector>

#include "grin/base/json.h"
#include "grin/text/chat_template.h"

namespace grin {

// Whether a value is a list of messages.
bool IsConversation(const Json& value);

// A list of messages as tables may hold it: as it is, as JSON in a text (CSV), or as an object of
// lists ({"role": [...], "content": [...]}, as `datasets` stores some). Error (bad input) naming
// `where` and the column for anything else: read as plain text it would lose its template.
Json ConversationIn(const Json& value, std::string_view column, std::string_view where);

// The messages in a list. Roles human, gpt and their like become user and assistant; a content
// given in parts ({"type": "text", "text": ...}) is joined; other fields are kept. Error (bad
// input) for a message without a role, or whose content is not text; `where` names the record.
std::vector<Message> ReadMessages(const Json& list, std::string_view where);

// Takes the last assistant's turn off, with whatever stands behind it, and returns its text. Error
// (bad input) when there is none, or nothing stands before it.
std::string TakeLastAnswer(std::vector<Message>& messages, std::string_view where);

// The contents of messages as one text, for what has no roles. One user's turn is its own text.
std::string JoinContents(const std::vector<Message>& messages);

}  // namespace grin
