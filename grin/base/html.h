#pragma once
// Text inside HTML and XML.

#include <string>
#include <string_view>

namespace grin {

// `text` with &, <, >, " and ' as character references, fit for content and for attribute values.
std::string EscapeHtml(std::string_view text);

}  // namespace grin
