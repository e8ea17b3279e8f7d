#pragma once
// JSON files with errors that say where.

#include <cstdint>
#include <filesystem>
#include <string_view>

#include "grin/base/json.h"

namespace grin {

// A position in a text file, counted from 1; columns are bytes.
struct JsonPlace {
  int64_t line = 1;
  int64_t column = 1;

  // Moves past `text`.
  void Advance(std::string_view text);
};

// Error (bad input) "file:LINE:COLUMN: not UTF-8 text: the byte 0x.." unless `text`, which begins
// at `place`, is UTF-8.
void RequireUtf8(std::string_view text, std::string_view file, JsonPlace place = {});

// Parses `text`, which begins at `place` of the file. Error (bad input) "file:LINE:COLUMN: ..."
// when it is not valid JSON, or names the byte that is not UTF-8.
Json ParseJson(std::string_view text, std::string_view file, JsonPlace place = {});

// The JSON object in a file. Error (bad input) when it is unreadable, invalid or not an object.
Json ReadJsonObject(const std::filesystem::path& path);

}  // namespace grin
