#pragma once
// The frame around the content of every page: styles, scripts, the bar with its links.

#include <string>

#include "grin/report/markup.h"

namespace grin {

// The whole page. It loads nothing: styles and scripts are inside. `links` are items of a list.
std::string RenderPage(const std::string& title, const Markup& links, const Markup& content);

}  // namespace grin
