#pragma once
// What a data argument names: files, patterns, folders, files of a data set in the hub cache.

#include <filesystem>
#include <vector>

namespace grin {

// The files of `source`, in order, each once. It is a path, or several separated by commas; each
// part is a file, a pattern ("dir/*.parquet"), a folder (its data files, by name; where the Python
// package `datasets` has saved it, those of its state.json, in that order), or
// "hub://datasets/ORG/NAME[@REVISION][/PATTERN]" in the local hub cache (without a pattern, its
// only data file). A file whose name holds a comma or a star is found as it is. Error (bad input)
// for a part that names nothing.
std::vector<std::filesystem::path> FindDataFiles(const std::filesystem::path& source);

}  // namespace grin
