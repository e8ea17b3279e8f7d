#pragma once
// The Hugging Face directory layout.

#include <filesystem>
#include <memory>

#include "grin/io/checkpoint.h"

namespace grin {

// Opens config.json and model.safetensors, or model.safetensors.index.json and its shards. Error
// (bad input) naming the file or tensor that is missing or wrong.
std::shared_ptr<const Checkpoint> OpenDirectoryCheckpoint(const std::filesystem::path& directory);

}  // namespace grin
