#pragma once
// Columnar tables: Apache Parquet files and Arrow IPC files and streams, through Arrow C++.

#include <filesystem>
#include <string_view>
#include <vector>

#include "grin/io/table.h"

namespace grin {

// Whether a file that begins with `head` is Parquet, or Arrow IPC (a file, or a stream as
// `datasets` saves to disk).
bool IsParquet(std::string_view head);
bool IsArrowIpc(std::string_view head);

// All rows as records; Record::line is the row, from 1. Lists become arrays, structs and maps
// objects, missing values null; dates, times and decimals become text, and so do bytes that are
// UTF-8 (others become null, as JSON has no form for them). Error (bad input) when the file is
// damaged, or holds a type that cannot be read.
std::vector<Record> ReadParquet(const std::filesystem::path& path);
std::vector<Record> ReadArrowIpc(const std::filesystem::path& path);

}  // namespace grin
