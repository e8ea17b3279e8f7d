#pragma once
// Records of a data set as a user has them: a prompt with its response, a conversation, or plain
// text.

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "grin/base/json.h"
#include "grin/text/chat_template.h"

namespace grin {

struct Example {
  std::string prompt;    // empty for plain text; of a conversation all turns before the response
  std::string response;  // what is scored
  std::vector<Message> turns;  // the prompt of a conversation, turn by turn, for a chat template
  std::vector<std::string> keywords;      // phrases of the response that carry the fact, if given
  std::vector<std::string> alternatives;  // wrong or perturbed answers, if given
  Json fields;                            // the whole record
  std::string where;                      // "forget.jsonl:17"

  bool is_text() const { return prompt.empty(); }
};

// Reads a data set: `path` may name several files (FindDataFiles). Columns are found by name
// (question/answer, prompt/response, prompt/completion, instruction/output, messages,
// conversations, text) in the first record of each file, or set: "prompt=Q,response=A", "text=BODY"
// or "messages=CHAT". A column may hold text, {"text": ...}, or messages; an answer may be the
// number of one of the record's `choices`. Blank plain texts are left out. Error (bad input): no
// records, a record without its columns (those present are listed), an empty answer, a value that
// is not text.
std::vector<Example> LoadExamples(const std::filesystem::path& path,
                                  const std::string& columns = "");

// The texts of a column: a list of them, or one; none where the record lacks it or has null. Error
// (bad input) naming `where` and the column for anything else.
std::vector<std::string> TextsOf(const Json& fields, const char* column, std::string_view where);

// Refuses a forget and a retain set that share records: the first one shared is named.
void RefuseOverlap(const std::vector<Example>& forget, const std::vector<Example>& retain);

}  // namespace grin
