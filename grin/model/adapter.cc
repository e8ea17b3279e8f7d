#include "grin/model/adapter.h"

#include <ATen/ATen.h>
#include <ATen/ops/linalg_vector_norm.h>

#include <array>
#include <cmath>
#include <map>
#include <optional>
#include <regex>

#include "grin/base/error.h"
#include "grin/base/json_fields.h"
#include "grin/base/printable.h"
#include "grin/base/read_json.h"
#include "grin/io/weight_files.h"
#include "grin/model/config.h"
#include "grin/model/weights.h"

namespace grin {
namespace {

namespace fs = std::filesystem;

constexpr const char *kAdapterConfig = "adapter_config.json",
                     *kAdapterWeights = "adapter_model.safetensors";

// What an adapter does to one tensor of the base.
struct AdapterEdit {
  std::optional<int64_t> replacement;  // tensors of the adapter's file, by number
  std::optional<int64_t> a, b;         // the low-rank factors
  bool embedding = false;            // a [r, vocabulary], b [width, r]; else a [r, in], b [out, r]
  std::optional<int64_t> magnitude;  // of DoRA, [out]
  std::optional<int64_t> added;      // to a bias, times the scale
  double scale = 0;                  // alpha / r, or alpha / sqrt(r)
};

// "model.layers.0.self_attn.q_proj" and what of it a tensor is: "lora_A.weight".
struct AdapterKey {
  std::string module, part;
};

// Settings with which peft would do what is not done here, unless they are off. Anything else that
// merges otherwise shows in tensors of unknown names, which are refused.
constexpr std::array kUnsupportedSettings = {"layer_replication",
                                             "trainable_token_indices",
                                             "alora_invocation_tokens",
                                             "target_parameters",
                                             "use_qalora",
                                             "megatron_config",
                                             "arrow_config",
                                             "use_bdlora",
                                             "kasa_config",
                                             "velora_config",
                                             "monteclora_config"};

// Ways to begin that change the base's own weights.
constexpr std::array kChangedBase = {"pissa", "olora", "loftq", "corda", "lora_ga"};

bool IsOn(const Json& value) {
  return !(value.is_null() || value == Json(false) || (value.is_structured() && value.empty()));
}

class AdapterSettings {
 public:
  explicit AdapterSettings(const fs::path& path)
      : json_(ReadJsonObject(path)), fields_(json_, path.string()) {
    const std::string type = fields_.String("peft_type");
    if (type != "LORA") {
      Refuse(fmt::format("is an adapter of type {}; LORA is read", Printable(type)));
    }
    for (const char* setting : kUnsupportedSettings) {
      if (const Json* value = fields_.Find(setting); value && IsOn(*value)) {
        Refuse(
            fmt::format("{} is set, which is not supported; merge the adapter with peft "
                        "(merge_and_unload) first",
                        setting));
      }
    }
    const Json* init = fields_.Find("init_lora_weights");
    for (const char* changed : kChangedBase) {
      if (init && init->is_string() && init->get<std::string>().starts_with(changed)) {
        Refuse(
            fmt::format("was begun with {}, which changes the base's own weights; merge the "
                        "adapter with peft (merge_and_unload) first",
                        changed));
      }
    }
    rank_ = fields_.Count("r");
    rslora_ = fields_.Bool("use_rslora", false);
    fan_in_fan_out_ = fields_.Bool("fan_in_fan_out", false);
    dora_ = fields_.Bool("use_dora", false);
  }

  // alpha / r of a module, where r is what its factors have.
  double Scale(const std::string& module, int64_t rank) const {
    const double wanted = Pattern("rank_pattern", module).value_or(static_cast<double>(rank_));
    if (wanted != static_cast<double>(rank)) {
      Refuse(fmt::format("gives {} the rank {}, its factors have {}", module, wanted, rank));
    }
    const double alpha = Pattern("alpha_pattern", module).value_or(fields_.Real("lora_alpha", 8.0));
    return alpha / (rslora_ ? std::sqrt(static_cast<double>(rank)) : static_cast<double>(rank));
  }

  std::string Base() const { return fields_.String("base_model_name_or_path"); }
  std::string Revision() const { return fields_.String("revision", ""); }
  bool fan_in_fan_out() const { return fan_in_fan_out_; }
  bool dora() const { return dora_; }

  [[noreturn]] void Refuse(const std::string& what) const {
    BadInput("model", "{}: {}", fields_.where(), what);
  }

 private:
  // The value of the first key that matches the end of the module's name, as peft does it.
  std::optional<double> Pattern(const char* field, const std::string& module) const {
    const Json* patterns = fields_.Find(field);
    if (!patterns || !patterns->is_object()) return std::nullopt;
    for (const auto& [key, value] : patterns->items()) {
      if (!value.is_number()) Refuse(fmt::format("{}: {} is no number", field, Printable(key)));
      try {
        if (std::regex_match(module, std::regex("(.*\\.)?(" + key + ")"))) {
          return value.get<double>();
        }
      } catch (const std::regex_error&) {
        Refuse(fmt::format("{}: '{}' is no regular expression that is understood", field,
                           Printable(key)));
      }
    }
    return std::nullopt;
  }

  Json json_;
  JsonFields fields_;
  int64_t rank_ = 0;
  bool rslora_ = false, fan_in_fan_out_ = false, dora_ = false;
};

// What a tensor of the adapter's file is about. Wrappers that training puts around modules are left
// out of the name.
AdapterKey ParseAdapterKey(std::string name) {
  for (const std::string_view prefix : {"base_model.", "model."}) {
    if (name.starts_with(prefix)) name = name.substr(prefix.size());
  }
  for (const std::string_view wrapper : {".base_layer", ".modules_to_save", ".original_module"}) {
    if (const size_t at = name.find(wrapper); at != std::string::npos) {
      name.erase(at, wrapper.size());
    }
  }
  const size_t lora = name.find(".lora_");
  const size_t dot = lora == std::string::npos ? name.rfind('.') : lora;
  if (dot == std::string::npos) return {"", name};
  return {name.substr(0, dot), name.substr(dot + 1)};
}

bool IsOfTokenizerFile(const std::string& name) {
  return name.starts_with("tokenizer") || name.starts_with("chat_template") ||
         name == "special_tokens_map.json" || name == "added_tokens.json" || name == "vocab.json" ||
         name == "vocab.txt" || name == "merges.txt";
}

class AdapterCheckpoint : public Checkpoint, public HasWeightFiles {
 public:
  AdapterCheckpoint(const fs::path& directory, const OpenBase& open)
      : Checkpoint(directory), settings_(directory / kAdapterConfig) {
    if (!fs::is_regular_file(directory / kAdapterWeights)) {
      BadInput("model", "{}: has no {}; only safetensors is read", directory.string(),
               kAdapterWeights);
    }
    file_ = std::make_shared<const SafetensorsFile>(directory / kAdapterWeights);
    base_ = open(FindBase());
    config_ = base_->config();
    tensors_ = base_->tensors();
    shards_ = base_->shards();
    left_out_ = base_->left_out();
    IndexTensors();
    FindEdits();
    CheckEdits();
    TakeSideFiles();
  }

  const SafetensorsFile* ShardFile(size_t shard) const override { return base_->ShardFile(shard); }

  std::vector<fs::path> WeightFiles() const override {
    std::vector<fs::path> files = WeightFilesOf(*base_);
    files.push_back(path_ / kAdapterWeights);
    files.push_back(path_ / kAdapterConfig);
    return files;
  }

 private:
  // A path as it stands, or beside the adapter; else a hub name.
  fs::path FindBase() const {
    const fs::path named = settings_.Base();
    std::error_code ignored;
    if (named.empty()) settings_.Refuse("names no base (base_model_name_or_path)");
    if (fs::exists(named, ignored)) return named;
    if (named.is_relative() && fs::exists(path_ / named, ignored)) return path_ / named;
    if (named.is_absolute()) {
      settings_.Refuse(
          fmt::format("its base {} is not there; put it there, or name another one as "
                      "base_model_name_or_path",
                      named.string()));
    }
    const std::string revision = settings_.Revision();
    return revision.empty() ? named : fs::path(named.string() + "@" + revision);
  }

  // The base's tensor that a module's parameter is. A base may be stored without the first parts of
  // the name, or with more of them. Null where there is none.
  const TensorInfo* FindInBase(const std::string& name) const {
    if (const TensorInfo* found = Find(name)) return found;
    const TensorInfo* only = nullptr;
    for (const TensorInfo& info : tensors_) {
      if (!info.name.ends_with("." + name) && !name.ends_with("." + info.name)) continue;
      if (only) return nullptr;
      only = &info;
    }
    return only;
  }

  const std::string& BaseName(const std::string& module, const std::string& parameter,
                              const std::string& key) const {
    const TensorInfo* found = FindInBase(module + "." + parameter);
    if (!found) {
      BadInput("model", "{}: {} belongs to {}.{}, which its base {} does not have{}",
               file_->path().string(), Printable(key), Printable(module), parameter,
               base_->path().string(),
               module.ends_with("lm_head") || module.ends_with("embed_out")
                   ? " (its head is tied to the embedding); merge the adapter with peft "
                     "(merge_and_unload) first"
                   : "");
    }
    return found->name;
  }

  void FindEdits() {
    for (size_t i = 0; i < file_->tensors().size(); ++i) {
      const std::string& name = file_->tensors()[i].name;
      const auto [module, part] = ParseAdapterKey(name);
      const auto number = static_cast<int64_t>(i);
      const auto weight = [&]() -> AdapterEdit& {
        return edits_[BaseName(module, "weight", name)];
      };
      if (part == "lora_A.weight") {
        weight().a = number;
      } else if (part == "lora_B.weight") {
        AdapterEdit& edit = weight();
        edit.b = number;
        modules_[BaseName(module, "weight", name)] = module;
      } else if (part == "lora_embedding_A") {
        weight().a = number;
        weight().embedding = true;
      } else if (part == "lora_embedding_B") {
        weight().b = number;
        modules_[BaseName(module, "weight", name)] = module;
      } else if (part == "lora_magnitude_vector" || part == "lora_magnitude_vector.weight") {
        weight().magnitude = number;
      } else if (part == "lora_B.bias") {
        const std::string& bias = BaseName(module, "bias", name);
        edits_[bias].added = number;
        modules_[bias] = module;
      } else if (part == "weight" || part == "bias") {
        edits_[BaseName(module, part, name)].replacement = number;
      } else {
        BadInput("model",
                 "{}: tensor {} is of no kind that is read; merge the adapter with peft "
                 "(merge_and_unload) first",
                 file_->path().string(), Printable(name));
      }
    }
    if (edits_.empty()) BadInput("model", "{}: has no tensors", file_->path().string());
  }

  const std::vector<int64_t>& ShapeOf(int64_t number) const {
    return file_->tensors()[static_cast<size_t>(number)].shape;
  }

  [[noreturn]] void RefuseShape(const TensorInfo& info, int64_t number) const {
    BadInput("model", "{}: {} has shape {}, which does not fit {} {} of {}", file_->path().string(),
             Printable(file_->tensors()[static_cast<size_t>(number)].name),
             FormatShape(ShapeOf(number)), info.name, FormatShape(info.shape),
             base_->path().string());
  }

  void CheckEdits() {
    const ModelConfig config = ParseModelConfig(config_, base_->path().string() + "/config.json");
    for (auto& [name, edit] : edits_) {
      const TensorInfo& info = *Find(name);
      for (const auto& number : {edit.replacement, edit.a, edit.b, edit.magnitude, edit.added}) {
        if (number && !IsFloat(file_->tensors()[static_cast<size_t>(*number)].dtype)) {
          BadInput("model", "{}: {} is of type {}; weights must be F64, F32, F16 or BF16",
                   file_->path().string(), file_->tensors()[static_cast<size_t>(*number)].name,
                   DTypeName(file_->tensors()[static_cast<size_t>(*number)].dtype));
        }
      }
      if (edit.replacement) {
        if (ShapeOf(*edit.replacement) != info.shape) RefuseShape(info, *edit.replacement);
        const bool embedding = name.ends_with("embed_tokens.weight") ||
                               name.ends_with("wte.weight") || name.ends_with("embed_in.weight");
        if (config.tied_embeddings && embedding && !edit.a) {
          BadInput("model",
                   "{}: trains the embedding whole, to which the base's head is tied; peft keeps "
                   "the head as it was, and one checkpoint cannot hold both",
                   file_->path().string());
        }
      }
      if (edit.a.has_value() != edit.b.has_value() || (edit.magnitude && !edit.a)) {
        BadInput("model", "{}: {} has a part of an adapter and lacks another",
                 file_->path().string(), name);
      }
      if (edit.a) CheckFactors(info, edit);
      if (edit.added) {
        if (ShapeOf(*edit.added) != info.shape) RefuseShape(info, *edit.added);
        const std::string weight = name.substr(0, name.rfind('.')) + ".weight";
        const auto found = edits_.find(weight);
        if (found == edits_.end() || !found->second.a) RefuseShape(info, *edit.added);
        edit.scale = settings_.Scale(modules_.at(name), ShapeOf(*found->second.a)[0]);
      }
    }
  }

  void CheckFactors(const TensorInfo& info, AdapterEdit& edit) {
    const auto &a = ShapeOf(*edit.a), &b = ShapeOf(*edit.b);
    if (a.size() != 2) RefuseShape(info, *edit.a);
    if (b.size() != 2 || b[1] != a[0]) RefuseShape(info, *edit.b);
    std::vector<int64_t> product = {b[0], a[1]};
    if (edit.embedding || settings_.fan_in_fan_out()) std::swap(product[0], product[1]);
    if (product != info.shape) RefuseShape(info, *edit.a);
    if (settings_.dora() != edit.magnitude.has_value()) {
      BadInput("model", "{}: use_dora is {}, but {} {} a magnitude", file_->path().string(),
               settings_.dora(), info.name, edit.magnitude ? "has" : "has not");
    }
    if (edit.magnitude && edit.embedding) {
      BadInput("model",
               "{}: DoRA of an embedding is not supported; merge the adapter with peft "
               "(merge_and_unload) first",
               file_->path().string());
    }
    edit.scale = settings_.Scale(modules_.at(info.name), a[0]);
  }

  void TakeSideFiles() {
    std::map<std::string, SideFile> files;
    for (const SideFile& file : base_->side_files()) files[file.name] = file;
    for (const fs::directory_entry& entry : fs::directory_iterator(path_)) {
      const std::string name = entry.path().filename().string();
      if (entry.is_regular_file() && IsOfTokenizerFile(name)) {
        files[name] = {name, entry.path(), std::nullopt};
      }
    }
    for (auto& [name, file] : files) side_files_.push_back(std::move(file));
  }

  // A tensor of the adapter's file in fp32.
  at::Tensor Factor(int64_t number) const {
    const TensorInfo& info = file_->tensors()[static_cast<size_t>(number)];
    at::Tensor values = at::empty(info.shape, at::kFloat);
    ConvertFloats(info.dtype, file_->Bytes(number), DType::kF32,
                  {static_cast<std::byte*>(values.mutable_data_ptr()), values.nbytes()});
    return values;
  }

  // As peft merges: factors and product in fp32, the sum rounded once to the base's type.
  TensorBytes ReadAt(size_t index) const override {
    const TensorInfo& info = tensors_[index];
    const auto found = edits_.find(info.name);
    if (found == edits_.end()) return base_->Read(info.name);
    const AdapterEdit& edit = found->second;
    const at::ScalarType type = FloatScalarType(info.dtype).value();
    // The base is added to in its own precision, where that is above fp32.
    const at::ScalarType wide = type == at::kDouble ? at::kDouble : at::kFloat;
    at::Tensor value = edit.replacement ? Factor(*edit.replacement).to(type)
                                        : StoredTensor(*base_, *base_->Find(info.name));
    if (edit.a) {
      at::Tensor change = Factor(*edit.b).matmul(Factor(*edit.a));  // [out, in]
      const bool transposed = edit.embedding || settings_.fan_in_fan_out();
      if (transposed) change = change.t();
      change = change * edit.scale;
      at::Tensor sum = value.to(wide) + change;
      if (edit.magnitude) {
        // Rows of [out, in], whichever way they are stored. The norm has the base's type.
        const int64_t along = transposed ? 0 : 1;
        const at::Tensor norm = at::linalg_vector_norm(sum, 2, at::IntArrayRef{along}).to(wide);
        sum = sum * (Factor(*edit.magnitude).flatten() / norm).unsqueeze(along);
      }
      value = sum.to(type);
    }
    if (edit.added) value = (value.to(wide) + Factor(*edit.added) * edit.scale).to(type);
    const auto owner = std::make_shared<at::Tensor>(value.contiguous());
    return {{static_cast<const std::byte*>(owner->const_data_ptr()), owner->nbytes()}, owner};
  }

  AdapterSettings settings_;
  std::shared_ptr<const SafetensorsFile> file_;
  std::shared_ptr<const Checkpoint> base_;
  std::map<std::string, AdapterEdit> edits_;    // by the base's tensor
  std::map<std::string, std::string> modules_;  // the same, to the adapter's name of the module
};

}  // namespace

bool IsAdapterDirectory(const fs::path& directory) {
  std::error_code ignored;
  return fs::exists(directory / kAdapterConfig, ignored) &&
         !fs::exists(directory / "model.safetensors", ignored) &&
         !fs::exists(directory / "model.safetensors.index.json", ignored);
}

std::shared_ptr<const Checkpoint> OpenAdapterCheckpoint(const fs::path& directory,
                                                        const OpenBase& open) {
  return std::make_shared<AdapterCheckpoint>(directory, open);
}

}  // namespace grin
