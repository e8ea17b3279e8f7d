#include "grin/cli/common.h"

#include "grin/gguf/open_checkpoint.h"
#include <ATen/Parallel.h>
#include <unistd.h>

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <thread>

#include "grin/base/error.h"
#include "grin/base/hash.h"
#include "grin/base/log.h"
#include "grin/base/memory.h"
#include "grin/io/data_files.h"
#include "grin/model/footprint.h"
#include "grin/report/report.h"

namespace grin {
namespace fs = std::filesystem;

void Require(const std::string& value, const char* flag) {
  if (value.empty()) BadUsage("grin", "{} is required; see --help", flag);
}

void CheckOutput(const OutputOptions& output) {
  if (output.force || !fs::exists(output.out)) return;
  BadInput("io", "{}: exists already; choose another --out, or replace it with --force", output.out);
}

namespace {

at::Device ParseDevice(const std::string& text) {
  if (text == "cpu") return at::kCPU;
  if (text.starts_with("cuda")) {
    if (at::globalContext().hasCUDA()) return at::Device(text);
    BadUsage("grin", "--device {}: this build, or this machine, has no CUDA", text);
  }
  BadUsage("grin", "--device '{}' is not known; it is cpu or cuda", text);
}

std::optional<at::ScalarType> ParseComputeType(const std::string& text) {
  if (text.empty()) return std::nullopt;
  if (text == "float32" || text == "fp32") return at::kFloat;
  if (text == "bfloat16" || text == "bf16") return at::kBFloat16;
  BadUsage("grin", "--dtype '{}' is not known; it is float32 or bfloat16", text);
}

}  // namespace

Workspace OpenModel(const CommonOptions& common, const ModelOptions& options) {
  Require(options.model, "--model");
  constexpr int64_t kMostThreads = 512;
  if (common.threads < 0 || common.threads > kMostThreads) {
    BadUsage("grin", "--threads is {}; it must be 0 (all cores) to {}", common.threads, kMostThreads);
  }
  at::set_num_threads(static_cast<int>(
      common.threads > 0 ? common.threads : std::max(1u, std::thread::hardware_concurrency())));
  Workspace workspace;
  workspace.checkpoint = OpenCheckpoint(options.model);
  workspace.model = LoadModel(workspace.checkpoint, ParseComputeType(common.dtype),
                              ParseDevice(common.device));
  Info("model {}; computing in {} on {}", workspace.checkpoint->Describe(),
       workspace.model.weights->dtype() == at::kBFloat16 ? "bfloat16" : "float32", common.device);
  return workspace;
}

void OpenEncoder(Workspace& workspace, const DataOptions& data) {
  if (data.max_length < 0) {
    BadUsage("grin", "--max-length is {}; it must not be negative", data.max_length);
  }
  workspace.encoder = std::make_unique<Encoder>(
      *workspace.checkpoint, workspace.model.config,
      EncodeOptions{.template_name = data.template_name,
                    .system_prompt = data.system_prompt,
                    .template_variables = data.template_variables,
                    .compat = data.compat,
                    .max_length = data.max_length});
  Info("template {}", workspace.encoder->DescribeTemplate());
}

Workspace OpenWorkspace(const CommonOptions& common, const ModelOptions& options,
                        const DataOptions& data) {
  Workspace workspace = OpenModel(common, options);
  OpenEncoder(workspace, data);
  return workspace;
}

int64_t ParseBytes(const std::string& text) {
  size_t used = 0;
  double number = 0;
  try {
    number = std::stod(text, &used);
  } catch (const std::exception&) {
    used = 0;
  }
  std::string unit = text.substr(used);
  if (unit.ends_with("iB")) unit.resize(unit.size() - 2);
  if (unit.ends_with("B")) unit.pop_back();
  constexpr std::string_view kUnits = "KMGT";
  double factor = 1;
  if (unit.size() == 1 && kUnits.find(unit[0]) != std::string_view::npos) {
    factor = std::pow(1024.0, static_cast<double>(kUnits.find(unit[0]) + 1));
    unit.clear();
  }
  if (used == 0 || !unit.empty() || !(number > 0)) {
    BadUsage("grin", "--memory-budget '{}' is not an amount such as 2G or 800M", text);
  }
  return static_cast<int64_t>(number * factor);
}

int64_t LongestOf(const std::vector<Sequence>& sequences) {
  int64_t longest = 0;
  for (const Sequence& sequence : sequences) longest = std::max(longest, sequence.length());
  return longest;
}

int64_t RecordedPassTokens(const Model& model, const CommonOptions& common, int64_t reserved,
                           int64_t longest) {
  // Enough for full speed; more only costs memory.
  constexpr int64_t kEnough = 512;
  if (common.memory_budget.empty()) return std::max(kEnough, longest);
  const int64_t budget = ParseBytes(common.memory_budget);
  int64_t weights = 0;
  for (const auto& [name, tensor] : model.weights->tensors()) {
    weights += static_cast<int64_t>(tensor.nbytes());
  }
  constexpr int64_t kProgram = int64_t{300} << 20;  // LibTorch, logits of a chunk, data
  const int64_t left = budget - weights - reserved - kProgram;
  const int64_t tokens = left > 0 ? TokensWithin(model, left) : 0;
  if (tokens < longest) {
    throw Error(ErrorClass::kMemory, "grin",
                fmt::format("a sequence of {} tokens does not fit --memory-budget {}: weights take "
                            "{:.2f} GB, masks and scores {:.2f} GB, the pass {:.2f} GB, the program "
                            "{:.2f} GB; shorten it with --max-length, or raise the budget",
                            longest, common.memory_budget, static_cast<double>(weights) / 1e9,
                            static_cast<double>(reserved) / 1e9,
                            static_cast<double>(RecordedBytesPerToken(model) * longest) / 1e9,
                            static_cast<double>(kProgram) / 1e9));
  }
  return std::min(tokens, std::max(kEnough, longest));
}

Json DescribeInput(const fs::path& path, int64_t records) {
  std::vector<std::string> prints;
  for (const fs::path& file : FindDataFiles(path)) prints.push_back(FileFingerprint(file));
  // Of several files, that of their fingerprints in order.
  const std::string print =
      prints.size() == 1 ? prints[0] : Fingerprint(fmt::format("{}", fmt::join(prints, "")));
  return {{"path", path.string()}, {"fingerprint", print}, {"records", records}};
}

Json Provenance(std::string_view command, const Json& recipe) {
  return {{"grin_version", Version()},
          {"command", command},
          {"recipe", recipe},
          {"recipe_hash", Fingerprint(recipe.dump())},
          {"threads", at::get_num_threads()}};
}

void WriteOutput(const OutputOptions& output, const Checkpoint& source, Trainable* trainable,
                 const Json& provenance, const Mask* mask, const std::vector<Json>& log) {
  AtomicDirectory directory(output.out, output.force);
  WriteCheckpoint(source, directory.path(), trainable ? trainable->Edit() : EditTensor{});
  Json document = provenance;
  document["cost"]["peak_memory_bytes"] = PeakMemory();
  WriteFile(directory.path() / "grin.json", document.dump(2) + "\n");
  if (mask) mask->Save(directory.path() / "mask.safetensors");
  if (!log.empty()) {
    std::string lines;
    for (const Json& record : log) lines += record.dump() + "\n";
    WriteFile(directory.path() / "log.jsonl", lines);
    WriteFile(directory.path() / "report.html", RenderRunReport(output.out, document, log, mask));
  }
  directory.Commit();
}

}  // namespace grin
