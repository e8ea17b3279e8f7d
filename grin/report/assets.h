#pragma once
// Files that are part of the program: report.css and report.js, as the build found them.

#include <string_view>

namespace grin {

extern const std::string_view kAssetReportCss;
extern const std::string_view kAssetReportJs;

}  // namespace grin
