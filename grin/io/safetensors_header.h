#pragma once
// The JSON header of a safetensors file, parsed and written without building a JSON tree.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "grin/io/safetensors.h"

namespace grin {

struct SafetensorsEntry {
  TensorInfo info;
  uint64_t begin = 0;  // offsets into the data that follow the header
  uint64_t end = 0;
};

struct SafetensorsHeader {
  SafetensorsMetadata metadata;
  std::vector<SafetensorsEntry> entries;  // in the order of the header
};

// Parses `text`. Each entry is complete and its offsets agree with shape and type; how entries lie
// beside each other is not checked here. Error (bad input) that begins with `file`.
SafetensorsHeader ParseSafetensorsHeader(std::string_view text, std::string_view file);

// The header for `tensors` laid end to end, padded with spaces to a multiple of 8 bytes.
std::string FormatSafetensorsHeader(const std::vector<TensorInfo>& tensors,
                                    const SafetensorsMetadata& metadata);

}  // namespace grin
