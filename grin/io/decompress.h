#pragma once
// Compressed bytes -> text: gzip, Zstandard, and the raw deflate of ZIP archives.

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace grin {

// Whether `bytes` begin as a gzip or a Zstandard file does.
bool IsGzip(std::string_view bytes);
bool IsZstd(std::string_view bytes);

// The content of a gzip or Zstandard file, which may hold several members or frames. `file` names
// it in messages. Error (bad input) when it is damaged or cut off.
std::string Gunzip(std::string_view packed, std::string_view file);
std::string Unzstd(std::string_view packed, std::string_view file);

// Raw deflate data that unpack to exactly `size` bytes. Error (bad input) when they do not; `where`
// names them.
std::string Inflate(std::string_view packed, size_t size, std::string_view where);

}  // namespace grin
