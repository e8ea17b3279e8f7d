#include "grin/io/directory_checkpoint.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <map>

#include "grin/base/error.h"
#include "grin/base/printable.h"
#include "grin/base/read_json.h"

namespace grin {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSingle = "model.safetensors";
constexpr std::string_view kIndex = "model.safetensors.index.json";

class DirectoryCheckpoint : public Checkpoint {
 public:
  explicit DirectoryCheckpoint(const fs::path& directory);

  const SafetensorsFile* ShardFile(size_t shard) const override { return files_[shard].get(); }

 private:
  void OpenShards();
  void FindSideFiles();
  void CheckIndex(const Json& index, const fs::path& index_path) const;
  void AddShard(const std::string& file_name);
  TensorBytes ReadAt(size_t index) const override;

  std::vector<std::shared_ptr<const SafetensorsFile>> files_;
};

constexpr uintmax_t kSmall = uintmax_t{64} << 20;

// What a tokenizer is read from, however large it is.
bool IsOfTokenizer(std::string_view name) {
  constexpr std::array kFiles{"tokenizer.json", "tokenizer.model", "vocab.json",
                              "merges.txt",     "vocab.txt",       "tokenizer_config.json"};
  return std::ranges::find(kFiles, name) != kFiles.end();
}

// Neither weights of other formats, nor what describes a run of ours rather than the model.
bool TravelsWithModel(const fs::directory_entry& entry) {
  constexpr std::array kWeightExtensions{
      ".safetensors", ".bin",     ".pt",  ".pth", ".ckpt", ".gguf", ".ggml",   ".h5",
      ".onnx",        ".msgpack", ".pkl", ".npz", ".npy",  ".ot",   ".tflite", ".lock"};
  constexpr std::array kOurs{"grin.json", "log.jsonl", "report.html"};
  const std::string name = entry.path().filename().string();
  const std::string extension = entry.path().extension().string();
  std::error_code error;
  if (name.empty() || name[0] == '.' || !entry.is_regular_file(error)) return false;
  if (name.ends_with(".index.json")) return false;
  if (std::ranges::find(kOurs, name) != kOurs.end()) return false;
  return std::ranges::find(kWeightExtensions, extension) == kWeightExtensions.end();
}

void DirectoryCheckpoint::FindSideFiles() {
  for (const fs::directory_entry& entry : fs::directory_iterator(path_)) {
    if (!TravelsWithModel(entry)) continue;
    const std::string name = entry.path().filename().string();
    std::error_code error;
    if (entry.file_size(error) <= kSmall || IsOfTokenizer(name)) {
      side_files_.push_back({name, entry.path(), std::nullopt});
    } else {
      left_out_.push_back(name);
    }
  }
  std::ranges::sort(side_files_, {}, &SideFile::name);
  std::ranges::sort(left_out_);
}

[[noreturn]] void RefuseWithoutWeights(const fs::path& directory) {
  const std::string where = directory.string();
  for (const fs::directory_entry& entry : fs::directory_iterator(directory)) {
    const std::string name = entry.path().filename().string();
    if (name == "adapter_model.safetensors") {
      BadInput("io", "{}: holds an adapter, not a model; here a whole checkpoint is needed", where);
    }
    if (name.starts_with("pytorch_model") && name.find(".bin") != std::string::npos) {
      BadInput("io",
               "{}: has its weights as {}, only safetensors is read; convert with "
               "transformers: from_pretrained(DIR).save_pretrained(OUT)",
               where, name);
    }
    if (entry.path().extension() == ".gguf") {
      BadInput("io", "{}: has no {}; give the GGUF file itself: {}", where, kSingle, name);
    }
  }
  BadInput("io", "{}: has neither {} nor {}", where, kSingle, kIndex);
}

DirectoryCheckpoint::DirectoryCheckpoint(const fs::path& directory) : Checkpoint(directory) {
  const fs::path config_path = directory / "config.json";
  std::error_code ignored;
  if (!fs::exists(config_path, ignored)) {
    // An adapter, or nothing of a model at all, deserves its own message.
    if (fs::exists(directory / "adapter_config.json", ignored)) RefuseWithoutWeights(directory);
    BadInput("io", "{}: has no config.json; a checkpoint directory has config.json and {}",
             directory.string(), kSingle);
  }
  config_ = ReadJsonObject(config_path);
  RefuseQuantized(config_, config_path);
  OpenShards();
  IndexTensors();
  if (tensors_.empty()) BadInput("io", "{}: has no tensors", directory.string());
  FindSideFiles();
}

void DirectoryCheckpoint::OpenShards() {
  std::error_code ignored;
  if (fs::exists(path_ / kSingle, ignored)) return AddShard(std::string(kSingle));
  const fs::path index_path = path_ / kIndex;
  if (!fs::exists(index_path, ignored)) RefuseWithoutWeights(path_);
  const Json index = ReadJsonObject(index_path);
  const auto map = index.find("weight_map");
  if (map == index.end() || !map->is_object() || map->empty()) {
    BadInput("io", "{}: has no 'weight_map' that says which shard holds which tensor",
             index_path.string());
  }
  std::vector<std::string> names;  // each shard once; sorted, as their numbers are
  for (const auto& [tensor, file] : map->items()) {
    if (!file.is_string()) {
      BadInput("io", "{}: the shard of tensor '{}' is not a file name", index_path.string(),
               Printable(tensor));
    }
    const auto& name = file.get_ref<const std::string&>();
    if (name.empty() || name.find('/') != std::string::npos || name[0] == '.') {
      BadInput("io", "{}: the shard '{}' is not a plain file name", index_path.string(),
               Printable(name));
    }
    if (names.empty() || names.back() != name) names.push_back(name);
  }
  std::ranges::sort(names);
  names.erase(std::unique(names.begin(), names.end()), names.end());
  for (const std::string& name : names) {
    if (!fs::exists(path_ / name, ignored)) {
      BadInput("io", "{}: names the shard {}, which is missing", index_path.string(),
               Printable(name));
    }
    AddShard(name);
  }
  CheckIndex(index, index_path);
}

void DirectoryCheckpoint::CheckIndex(const Json& index, const fs::path& index_path) const {
  std::map<std::string_view, const SafetensorsFile*> by_name;
  for (size_t i = 0; i < shards_.size(); ++i) by_name[shards_[i].file_name] = files_[i].get();
  for (const auto& [tensor, file] : index.at("weight_map").items()) {
    const auto& name = file.get_ref<const std::string&>();
    if (by_name.at(name)->Find(tensor) < 0) {
      BadInput("io", "{}: says that tensor '{}' is in {}, which has no such tensor",
               index_path.string(), Printable(tensor), name);
    }
  }
}

void DirectoryCheckpoint::AddShard(const std::string& file_name) {
  auto file = std::make_shared<const SafetensorsFile>(path_ / file_name);
  shards_.push_back({file_name, tensors_.size(), file->tensors().size(), file->metadata()});
  tensors_.insert(tensors_.end(), file->tensors().begin(), file->tensors().end());
  files_.push_back(std::move(file));
}

TensorBytes DirectoryCheckpoint::ReadAt(size_t index) const {
  size_t shard = 0;
  while (index >= shards_[shard].first + shards_[shard].count) ++shard;
  const std::shared_ptr<const SafetensorsFile>& file = files_[shard];
  const std::span<const std::byte> bytes =
      file->Bytes(static_cast<int64_t>(index - shards_[shard].first));
  const auto alignment = static_cast<uintptr_t>(DTypeSize(tensors_[index].dtype));
  if (reinterpret_cast<uintptr_t>(bytes.data()) % alignment == 0) return {bytes, file};
  auto copy = std::make_shared<std::vector<std::byte>>(bytes.begin(), bytes.end());
  return {*copy, copy};
}

}  // namespace

std::shared_ptr<const Checkpoint> OpenDirectoryCheckpoint(const fs::path& directory) {
  return std::make_shared<DirectoryCheckpoint>(directory);
}

}  // namespace grin
