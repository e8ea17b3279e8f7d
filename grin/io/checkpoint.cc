#include "grin/io/checkpoint.h"

#include <fmt/ranges.h>

#include <set>

#include "grin/base/atomic_file.h"
#include "grin/base/error.h"
#include "grin/base/printable.h"
#include "grin/hub/cache.h"
#include "grin/io/directory_checkpoint.h"

namespace grin {

namespace fs = std::filesystem;

fs::path FindCheckpoint(const fs::path& source) {
  std::error_code ignored;
  if (fs::exists(source, ignored)) return source;
  const std::string name = source.string();
  return FindInHubCache(IsHubUrl(name) ? ParseHubUrl(name).repo : ParseHubRepo(name));
}

std::shared_ptr<const Checkpoint> Checkpoint::Open(const fs::path& source) {
  std::error_code ignored;
  const fs::path path = FindCheckpoint(source);
  if (fs::is_directory(path, ignored)) return OpenDirectoryCheckpoint(path);
  if (path.extension() == ".safetensors") {
    BadInput("io", "{}: is a weight file; give the directory that holds it and its config.json",
             path.string());
  }
  BadInput("io", "{}: is neither a checkpoint directory nor a GGUF file", path.string());
}

const TensorInfo* Checkpoint::Find(std::string_view name) const {
  const auto found = index_.find(name);
  return found == index_.end() ? nullptr : &tensors_[found->second];
}

TensorBytes Checkpoint::Read(std::string_view name) const {
  const auto found = index_.find(name);
  if (found == index_.end()) {
    BadInput("io", "{}: has no tensor '{}'", path_.string(), Printable(name));
  }
  return ReadAt(found->second);
}

std::optional<std::string> Checkpoint::SideText(std::string_view name) const {
  for (const SideFile& file : side_files_) {
    if (file.name == name) return file.text ? *file.text : ReadFile(file.path);
  }
  return std::nullopt;
}

std::string Checkpoint::Describe() const {
  int64_t weights = 0;
  std::set<std::string_view> types;
  for (const TensorInfo& tensor : tensors_) {
    weights += tensor.elements();
    types.insert(DTypeName(tensor.dtype));
  }
  std::string architecture = config_.value("model_type", "unknown architecture");
  if (const auto found = config_.find("architectures");
      found != config_.end() && found->is_array() && !found->empty() && (*found)[0].is_string()) {
    architecture = (*found)[0].get<std::string>();
  }
  return fmt::format("{}: {}, {} tensors, {} weights, {}", path_.string(), architecture,
                     tensors_.size(), weights, fmt::join(types, "+"));
}

void Checkpoint::IndexTensors() {
  for (size_t i = 0; i < tensors_.size(); ++i) {
    if (!index_.emplace(tensors_[i].name, i).second) {
      BadInput("io", "{}: the tensor '{}' is in two shards", path_.string(),
               Printable(tensors_[i].name));
    }
  }
}

void RefuseQuantized(const Json& config, const fs::path& where) {
  const auto found = config.find("quantization_config");
  if (found == config.end() || found->is_null()) return;
  std::string method = "unnamed method";
  if (found->is_object()) {
    const auto name = found->find("quant_method");
    if (name != found->end() && name->is_string()) method = Printable(name->get<std::string>());
  }
  BadInput("io",
           "{}: the weights are quantised ({}) and cannot be trained; use the checkpoint it "
           "was made from",
           where.string(), method);
}

}  // namespace grin
