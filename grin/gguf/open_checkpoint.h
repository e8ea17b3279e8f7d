#pragma once
// Whatever a user may name as a model, opened as a checkpoint.

#include <filesystem>
#include <memory>

#include "grin/io/checkpoint.h"

namespace grin {

// Opens a Hugging Face directory, one of a LoRA adapter (merged into its base), a .gguf file, or a hub name ("org/name[@revision]") found in the
// local hub cache. No tensor is read yet. Error (bad input) naming what is missing or wrong.
std::shared_ptr<const Checkpoint> OpenCheckpoint(const std::filesystem::path& source);

}  // namespace grin
