#pragma once
// The page of a sweep (docs/sweeps.md): curves of what is left against what is kept, one for each
// method, and its table.

#include <filesystem>
#include <optional>
#include <string>

#include "grin/base/json.h"

namespace grin {

// The table of a sweep, where `path` is one (table.json) or a folder that has one; nothing for
// anything else.
std::optional<Json> LoadSweepTable(const std::filesystem::path& path);

// The whole page. `name` is shown as the sweep's.
std::string RenderSweepPage(const std::string& name, const Json& table);

}  // namespace grin
