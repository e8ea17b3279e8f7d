#pragma once
// A model on disk: its configuration, its named tensors and the files that travel with them. A
// Hugging Face directory and a GGUF file look the same from here on.

#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "grin/base/json.h"
#include "grin/io/safetensors.h"
#include "grin/io/tensor_info.h"

namespace grin {

// A tensor's elements, row-major, aligned for its type; valid while `owner` lives.
struct TensorBytes {
  std::span<const std::byte> bytes;
  std::shared_ptr<const void> owner;
};

// One weight file as it is, or would be, in a checkpoint directory.
struct Shard {
  std::string file_name;
  size_t first = 0;  // its tensors are tensors()[first .. first + count)
  size_t count = 0;
  SafetensorsMetadata metadata;
};

// A file beside the weights: its content is `text` where that is set, else that of `path`.
struct SideFile {
  std::string name;
  std::filesystem::path path;
  std::optional<std::string> text;
};

class Checkpoint {
 public:
  // Opens a Hugging Face directory, given by its path or by a hub name ("org/name[@revision]") found
  // in the local hub cache. No tensor is read yet. Error (bad input) naming what is missing or wrong.
  // What a user names may also be a GGUF file: that is OpenCheckpoint in grin/gguf/open_checkpoint.h.
  static std::shared_ptr<const Checkpoint> Open(const std::filesystem::path& source);

  virtual ~Checkpoint() = default;

  // Where it was found: the directory, or the GGUF file.
  const std::filesystem::path& path() const { return path_; }

  // The content of config.json.
  const Json& config() const { return config_; }

  // In the order of their bytes, shard by shard.
  const std::vector<TensorInfo>& tensors() const { return tensors_; }

  // nullptr when there is no tensor of that name.
  const TensorInfo* Find(std::string_view name) const;

  // The elements of a tensor, in the type its TensorInfo names. Error (bad input) for a name that
  // is not in tensors().
  TensorBytes Read(std::string_view name) const;

  // The text of tokenizer.json and of tokenizer_config.json; nothing where there is none.
  std::optional<std::string> TokenizerJson() const { return SideText("tokenizer.json"); }
  std::optional<std::string> TokenizerConfigJson() const {
    return SideText("tokenizer_config.json");
  }

  // The text of any file beside the weights, by name; nothing where there is none.
  std::optional<std::string> SideText(std::string_view name) const;

  const std::vector<Shard>& shards() const { return shards_; }
  const std::vector<SideFile>& side_files() const { return side_files_; }
  // Names of files that lie there as well, but are too large to be taken for a part of the model.
  const std::vector<std::string>& left_out() const { return left_out_; }

  // "DIR: LlamaForCausalLM, 272 tensors, 134515008 weights, BF16"
  std::string Describe() const;

  // The mapped file behind a shard where that is safetensors, else nullptr: its header can then be
  // written again as it stands.
  virtual const SafetensorsFile* ShardFile(size_t shard) const = 0;

 protected:
  explicit Checkpoint(std::filesystem::path path) : path_(std::move(path)) {}

  // To be called once shards_ and tensors_ are complete. Error when a name occurs twice.
  void IndexTensors();

  virtual TensorBytes ReadAt(size_t index) const = 0;

  std::filesystem::path path_;
  Json config_;
  std::vector<TensorInfo> tensors_;
  std::vector<Shard> shards_;
  std::vector<SideFile> side_files_;
  std::vector<std::string> left_out_;

 private:
  std::unordered_map<std::string_view, size_t> index_;
};

// The path that a user's word for a model means: itself where it exists, else the place of that hub
// name in the local cache. Error (bad input) when it is neither.
std::filesystem::path FindCheckpoint(const std::filesystem::path& source);

// Error (bad input) when `config` says that its weights are quantised: those cannot be trained.
void RefuseQuantized(const Json& config, const std::filesystem::path& where);

}  // namespace grin
