#pragma once
// A part of a run's state as one safetensors file: tensors, and a JSON object of everything else.
// It appears whole or not at all, and carries a checksum of all that it holds.

#include <ATen/ATen.h>

#include <filesystem>
#include <map>
#include <string>
#include <string_view>

#include "grin/base/json.h"

namespace grin {

struct StateFile {
  Json fields = Json::object();
  std::map<std::string, at::Tensor> tensors;  // contiguous, of any type that safetensors has
};

// Error (bad input) when it cannot be written; then nothing is left behind.
void WriteStateFile(const std::filesystem::path& path, const StateFile& state);

// Error (bad input) when the file is missing, torn, of another format or does not match its
// checksum.
StateFile ReadStateFile(const std::filesystem::path& path);

// A double for JSON, which has no NaN and no infinity: its bits as an integer.
Json ExactJson(double value);
double FromExactJson(const Json& json);

}  // namespace grin
