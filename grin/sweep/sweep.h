#pragma once
// A sweep as one call: every setting of a grid, with several seeds, measured alike, and one table.
// May be killed at any instant and gone on with, and several processes may work on one folder.

#include <filesystem>

#include "grin/base/json.h"
#include "grin/run/options.h"

namespace grin {

// Does what the file at `sweep` says, in the folder `out`, and writes table.json and table.md
// there. Returns the table (sweep_table.h). Of `compute` the device and the memory budget go before
// what the file says. What is done already is not done again. Error (usage, bad input) for a file
// that cannot work, before anything runs. A run that fails is told, in the table too, and the
// others go on; the next call tries it again.
Json Sweep(const std::filesystem::path& sweep, const std::filesystem::path& out,
           const ComputeOptions& compute);

}  // namespace grin
