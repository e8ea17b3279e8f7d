#pragma once
// Bytes -> compressed bytes. See decompress.h for the way back.

#include <string>
#include <string_view>

namespace grin {

// One Zstandard frame.
std::string CompressZstd(std::string_view bytes);

}  // namespace grin
