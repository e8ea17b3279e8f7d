#pragma once
// A LoRA adapter as `peft` writes it, merged into its base in memory: it is read as the whole
// checkpoint that peft's merge_and_unload makes.

#include <filesystem>
#include <functional>
#include <memory>

#include "grin/io/checkpoint.h"

namespace grin {

// Whether the directory holds an adapter and no model.
bool IsAdapterDirectory(const std::filesystem::path& directory);

// Opens an adapter_config.json with its adapter_model.safetensors, and their base by `open`. A base
// that is not an existing path as it stands is looked for beside the adapter, and else is a hub
// name. The files beside the weights are the base's; a tokenizer that lies with the adapter goes
// before. Supported: rank, alpha, rank_pattern, alpha_pattern, use_rslora, use_dora,
// fan_in_fan_out, embeddings, biases, modules_to_save. Error (bad input) for what would be merged
// otherwise than peft does it.
using OpenBase = std::function<std::shared_ptr<const Checkpoint>(const std::filesystem::path&)>;
std::shared_ptr<const Checkpoint> OpenAdapterCheckpoint(const std::filesystem::path& directory,
                                                        const OpenBase& open);

}  // namespace grin
