#include "grin/base/read_json.h"

#include <algorithm>

#include "grin/base/atomic_file.h"
#include "grin/base/error.h"
#include "grin/base/ordered_tree.h"
#include "grin/base/printable.h"
#include "grin/base/utf8.h"

namespace grin {
namespace {

// What the parser expected, out of its message "[json.exception.parse_error.101] parse error at
// line 1, column 2: syntax error while parsing value - invalid literal; last read: '...'".
std::string Reason(std::string_view message) {
  const size_t dash = message.find(" - ");
  if (dash == std::string_view::npos) return "syntax error";
  return Printable(message.substr(dash + 3), 160);
}

constexpr int kMaxDepth = 500;

// Deeper than any file of ours needs; a value nested without end would exhaust the stack later on.
bool IsTooDeep(std::string_view text) {
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
      if (++depth > kMaxDepth) return true;
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return false;
}

}  // namespace

void JsonPlace::Advance(std::string_view text) {
  const size_t newline = text.rfind('\n');
  if (newline == std::string_view::npos) {
    column += static_cast<int64_t>(text.size());
  } else {
    line += std::count(text.begin(), text.end(), '\n');
    column = static_cast<int64_t>(text.size() - newline);
  }
}

void RequireUtf8(std::string_view text, std::string_view file, JsonPlace place) {
  const size_t bad = FirstInvalidUtf8(text);
  if (bad == std::string_view::npos) return;
  place.Advance(text.substr(0, bad));
  BadInput("io", "{}:{}:{}: not UTF-8 text: the byte {:#04x}", file, place.line, place.column,
           static_cast<unsigned char>(text[bad]));
}

Json ParseJson(std::string_view text, std::string_view file, JsonPlace place) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  if (IsTooDeep(text)) {
    BadInput("io", "{}:{}: JSON nested more than {} levels deep", file, place.line, kMaxDepth);
  }
  try {
    return ParseOrderedTree(text);
  } catch (const Json::parse_error& error) {
    RequireUtf8(text, file, place);
    place.Advance(text.substr(0, error.byte > 0 ? error.byte - 1 : 0));
    BadInput("io", "{}:{}:{}: not valid JSON: {}", file, place.line, place.column,
             Reason(error.what()));
  } catch (const Json::exception& error) {  // a number out of range
    BadInput("io", "{}:{}: not valid JSON: {}", file, place.line, Printable(error.what(), 160));
  }
}

Json ReadJsonObject(const std::filesystem::path& path) {
  Json value = ParseJson(ReadFile(path), path.string());
  if (!value.is_object()) {
    BadInput("io", "{}: holds {}, expected a JSON object", path.string(), value.type_name());
  }
  return value;
}

}  // namespace grin
