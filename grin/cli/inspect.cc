// grin inspect: what a checkpoint, a mask, a delta or a result file holds.

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <map>

#include "grin/base/error.h"
#include "grin/cli/command.h"
#include "grin/cli/results_summary.h"
#include "grin/gguf/open_checkpoint.h"
#include "grin/io/safetensors.h"
#include "grin/locate/locate.h"
#include "grin/model/config.h"
#include "grin/run/delta.h"
#include "grin/run/provenance.h"
#include "grin/suite/results.h"

namespace grin {
namespace {

namespace fs = std::filesystem;

struct InspectOptions {
  std::string target;
};

void InspectMask(const std::string& path, bool json) {
  const Mask mask = Mask::Load(path);
  if (json) {
    return PrintJson(DescribeMask(mask));
  }
  fmt::print("mask: {} of {} weights ({:.3f} %) in {} tensors\n", mask.count(), mask.total(),
             100.0 * static_cast<double>(mask.count()) / static_cast<double>(mask.total()),
             mask.tensors().size());
  for (const auto& [key, value] : mask.metadata()) {
    if (key != "shapes") fmt::print("  {:<12} {}\n", key, value);
  }
  for (const ModuleDensity& module : DensityByModule(mask)) {
    fmt::print("  {:<28} {:>7.3f} %  of {}\n", module.module,
               100.0 * static_cast<double>(module.selected) / static_cast<double>(module.total),
               module.total);
  }
}

void InspectDelta(const std::string& path, bool json) {
  const Json description = DescribeDelta(path);
  if (json) return PrintJson(description);
  fmt::print("delta: {} of {} weights in {} tensors\n", description.value("changed", "?"),
             description.value("weights", "?"), description["tensors"].get<size_t>());
  for (const auto& [key, value] : description.items()) {
    if (value.is_string()) fmt::print("  {:<14} {}\n", key, value.get<std::string>());
  }
}

bool IsDelta(const fs::path& path) {
  const SafetensorsFile file(path);
  const std::string* format = file.FindMetadata("format");
  return format && format->starts_with("grin-delta");
}

void InspectCheckpoint(const std::string& path, bool json) {
  const auto checkpoint = OpenCheckpoint(path);
  const ModelConfig config =
      ParseModelConfig(checkpoint->config(), checkpoint->path().string() + "/config.json");
  std::map<std::string, int64_t> by_type;
  int64_t weights = 0;
  for (const TensorInfo& info : checkpoint->tensors()) {
    by_type[std::string(DTypeName(info.dtype))] += info.elements();
    weights += info.elements();
  }
  if (json) {
    return PrintJson({{"family", config.family},
                            {"weights", weights},
                            {"tensors", checkpoint->tensors().size()},
                            {"types", by_type},
                            {"layers", config.layers},
                            {"hidden", config.hidden},
                            {"heads", config.heads},
                            {"kv_heads", config.kv_heads},
                            {"vocabulary", config.vocabulary},
                            {"context", config.context},
                            {"tied_embeddings", config.tied_embeddings}});
  }
  fmt::print("{}\n", checkpoint->Describe());
  fmt::print(
      "  family      {}\n  layers      {}\n  hidden      {}\n  heads       {} ({} key-value)\n"
      "  vocabulary  {}{}\n  context     {}\n",
      config.family, config.layers, config.hidden, config.heads, config.kv_heads, config.vocabulary,
      config.tied_embeddings ? ", head tied to the embedding" : "", config.context);
  for (const auto& [type, count] : by_type) fmt::print("  {:<11} {} weights\n", type, count);
}

bool IsResults(const Json& document) {
  return document.is_object() && std::ranges::any_of(document, [](const Json& member) {
           return member.is_object() && member.contains("agg_value");
         });
}

void InspectResults(const std::string& path, const CommonOptions& common) {
  const Json results = LoadResults(path);
  if (common.json) return PrintJson(SummaryOf(results));
  PrintResults(results);
}

// By its first bytes, whatever its name: the length of a header, then the header, a JSON object.
bool IsSafetensors(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  char start[9] = {};
  uint64_t header = 0;
  if (!file.read(start, sizeof start)) return path.extension() == ".safetensors";
  std::memcpy(&header, start, sizeof header);
  return path.extension() == ".safetensors" || (start[8] == '{' && header < fs::file_size(path));
}

void InspectCommand(const InspectOptions& options, const CommonOptions& common) {
  const fs::path path(options.target);
  if (fs::is_regular_file(path) && IsSafetensors(path)) {
    return IsDelta(path) ? InspectDelta(options.target, common.json)
                         : InspectMask(options.target, common.json);
  }
  if (fs::is_regular_file(path) && path.extension() == ".json") {
    const Json document = Json::parse(ReadFile(path), nullptr, false);
    if (document.is_discarded()) BadInput("inspect", "{}: is not JSON", options.target);
    if (IsResults(document)) return InspectResults(options.target, common);
    fmt::print("{}\n", document.dump(common.json ? -1 : 2));
    return;
  }
  InspectCheckpoint(options.target, common.json);
}

std::function<void()> SetUpInspect(Flags& flags, const CommonOptions& common) {
  auto options = std::make_shared<InspectOptions>();
  flags.Positional("TARGET", options->target, "a checkpoint, a mask, a delta or a result file");
  return [options, &common] { InspectCommand(*options, common); };
}

}  // namespace

extern const Command kInspect;
const Command kInspect = {
    .name = "inspect",
    .summary = "show what a checkpoint, a mask, a delta or a result file holds",
    .examples =
        "Examples:\n  grin inspect M\n  grin inspect mask.safetensors\n  grin inspect results.json",
    .set_up = SetUpInspect,
    .heeds = ""};

}  // namespace grin
