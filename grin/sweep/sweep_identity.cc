#include "grin/sweep/sweep_identity.h"

#include <algorithm>
#include <vector>

#include "grin/base/comma_list.h"
#include "grin/base/error.h"
#include "grin/base/hash.h"
#include "grin/gguf/open_checkpoint.h"
#include "grin/io/data_files.h"
#include "grin/io/model_fingerprint.h"
#include "grin/io/toml_file.h"
#include "grin/run/provenance.h"

namespace grin {
namespace {

namespace fs = std::filesystem;

std::string OfFolder(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) files.push_back(entry.path());
  }
  std::ranges::sort(files);
  std::string prints;
  for (const fs::path& file : files) {
    prints += file.lexically_relative(folder).string() + "=" + FileFingerprint(file) + ";";
  }
  return Fingerprint(prints);
}

// A file, and the data that it names where it is a TOML file of the suite custom.
std::string OfFile(const fs::path& file) {
  std::string print = FileFingerprint(file);
  if (file.extension() != ".toml") return print;
  for (const TomlEntry& section : ReadTomlFile(file)) {
    for (const TomlEntry& entry : section.entries) {
      if (entry.key != "data" || !entry.value.is_string()) continue;
      print += OfFile(file.parent_path() / entry.value.get<std::string>());
    }
  }
  return Fingerprint(print);
}

std::string OfPart(const std::string& part) {
  std::error_code error;
  const fs::path path(part);
  if (fs::is_directory(path, error)) {
    return fs::exists(path / "config.json", error) ? ModelFingerprint(*OpenCheckpoint(path))
                                                   : OfFolder(path);
  }
  if (fs::is_regular_file(path, error)) return OfFile(path);
  std::string prints;  // a pattern, or files of the hub cache
  for (const fs::path& file : FindDataFiles(path)) prints += FileFingerprint(file);
  return Fingerprint(prints);
}

}  // namespace

std::string SweepIdentities::OfFiles(const std::string& key, const std::string& name) {
  if (name.empty()) return name;
  if (key == "template" && (name == "chat" || name == "qa" || name == "raw")) return name;
  if (const std::string made = file_.paths.MadeModel(name); !made.empty()) {
    const auto found = std::ranges::find(file_.finetunes, made, &SweepFinetune::name);
    return "made:" + OfFinetune(*found);
  }
  auto& print = known_[key + "\n" + name];
  if (!print.empty()) return print;
  std::error_code error;
  if (fs::exists(name, error)) return print = OfPart(name);
  if (key == "holdout") return name;  // may be a split
  const bool model = key == "model" || key == "before" || key == "taught" ||
                     key == "reference-model" || key == "classifier";
  if (model) return print = ModelFingerprint(*OpenCheckpoint(name));  // of the hub
  std::string prints;
  for (const std::string& part : CommaParts(name)) {
    const size_t equals = part.find('=');
    const size_t begin = equals == std::string::npos ? 0 : equals + 1;
    prints += part.substr(0, begin) + OfPart(part.substr(begin)) + ";";
  }
  return print = Fingerprint(prints);
}

Json SweepIdentities::WithFingerprints(Json recipe) {
  for (const char* key : {"threads", "device", "memory-budget"}) recipe.erase(key);
  for (auto& [key, value] : recipe.items()) {
    if (NamesFiles(key) && value.is_string()) value = OfFiles(key, value.get<std::string>());
  }
  return recipe;
}

Json SweepIdentities::OfUnlearn(const SweepUnlearn& settings) {
  return WithFingerprints(RecipeOf(settings));
}

Json SweepIdentities::OfReferences(const SweepUnlearn& settings) {
  Json recipe = RecipeOf(settings);
  const Json idle = RecipeOf(settings.unlearn.locate, settings.unlearn.perturb,
                             settings.unlearn.forget_gradient, settings.unlearn.mask_file);
  for (const auto& [key, value] : idle.items()) recipe.erase(key);
  for (const char* key : {"lr", "epochs", "steps", "accumulate", "schedule", "warmup",
                          "weight-decay", "max-grad-norm", "collapse", "outlier"}) {
    recipe.erase(key);
  }
  for (const char* key : {"gamma", "alpha"}) {  // with a weight of 0 a term is left out
    if (recipe.value(key, 1.0) != 0) recipe.erase(key);
  }
  return WithFingerprints(std::move(recipe));
}

Json SweepIdentities::OfEval(const SweepEval& settings) {
  Json recipe = RecipeOf(settings);
  for (const char* key : {"seed", "model", "batch-size"}) recipe.erase(key);
  return WithFingerprints(std::move(recipe));
}

Json SweepIdentities::OfAttack(const SweepAttack& settings) {
  Json recipe = RecipeOf(settings);
  for (const char* key : {"model", "batch-size"}) recipe.erase(key);
  return WithFingerprints(std::move(recipe));
}

std::string SweepIdentities::OfFinetune(const SweepFinetune& finetune) {
  auto& print = known_["made\n" + finetune.name];
  if (!print.empty()) return print;
  const std::string made = Fingerprint(WithFingerprints(RecipeOf(finetune)).dump());
  return known_["made\n" + finetune.name] = made;
}

}  // namespace grin
