#pragma once
// JSON files with errors that say where.

#include <filesystem>
#include <string>
#include <string_view>

#include "grin/base/json.h"

namespace grin {

// Parses `text`. Error (bad input) "where:LINE:COLUMN: ..." when it is not valid JSON, counting
// lines from `first_line`, or "where: ... byte N" when it is not UTF-8.
Json ParseJson(std::string_view text, std::string_view where, int64_t first_line = 1);

// The JSON object in a file. Error (bad input) when it is unreadable, invalid or not an object.
Json ReadJsonObject(const std::filesystem::path& path);

}  // namespace grin
