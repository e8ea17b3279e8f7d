#include "grin/io/read_json.h"

#include <algorithm>

#include "grin/base/atomic_file.h"
#include "grin/base/error.h"
#include "grin/io/printable.h"

namespace grin {
namespace {

// What the parser expected, out of its message "[json.exception.parse_error.101] parse error at
// line 1, column 2: syntax error while parsing value - invalid literal; last read: '...'".
std::string Reason(std::string_view message) {
  const size_t dash = message.find(" - ");
  if (dash == std::string_view::npos) return "syntax error";
  return Printable(message.substr(dash + 3), 160);
}

}  // namespace

Json ParseJson(std::string_view text, std::string_view where, int64_t first_line) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  try {
    return Json::parse(text.begin(), text.end());
  } catch (const Json::parse_error& error) {
    if (const auto bad = FindInvalidUtf8(text)) {
      const auto line = first_line + std::count(text.begin(), text.begin() + *bad, '\n');
      BadInput("io", "{}:{}: not UTF-8 text: the byte {:#04x} at offset {}", where, line,
               static_cast<unsigned char>(text[*bad]), *bad);
    }
    const std::string_view before = text.substr(0, error.byte > 0 ? error.byte - 1 : 0);
    const auto line = first_line + std::count(before.begin(), before.end(), '\n');
    const size_t newline = before.rfind('\n');
    const size_t column =
        newline == std::string_view::npos ? before.size() + 1 : before.size() - newline;
    BadInput("io", "{}:{}:{}: not valid JSON: {}", where, line, column, Reason(error.what()));
  } catch (const Json::exception& error) {  // a number out of range
    BadInput("io", "{}:{}: not valid JSON: {}", where, first_line, Printable(error.what(), 160));
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
