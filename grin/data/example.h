#pragma once
// Records of a data set as a user has them: a prompt with its response, or plain text.

#include <filesystem>
#include <string>
#include <vector>

#include "grin/base/json.h"

namespace grin {

struct Example {
  std::string prompt;    // empty for plain text
  std::string response;  // what is scored
  std::vector<std::string> keywords;      // phrases of the response that carry the fact, if given
  std::vector<std::string> alternatives;  // wrong or perturbed answers, if given
  Json fields;                            // the whole record
  std::string where;                      // "forget.jsonl:17"

  bool is_text() const { return prompt.empty(); }
};

// Reads a data set. Columns are found by name (question/answer, prompt/response,
// prompt/completion, instruction/output, text) or set: "prompt=Q,response=A" or "text=BODY".
// Error (bad input): no records, a record without its columns (those present are listed), an empty
// answer, a value that is not text.
std::vector<Example> LoadExamples(const std::filesystem::path& path,
                                  const std::string& columns = "");

// Refuses a forget and a retain set that share records: the first one shared is named.
void RefuseOverlap(const std::vector<Example>& forget, const std::vector<Example>& retain);

}  // namespace grin
