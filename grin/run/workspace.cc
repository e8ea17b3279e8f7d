#include "grin/run/workspace.h"

#include <algorithm>
#include <utility>

#include "grin/base/error.h"
#include "grin/base/log.h"
#include "grin/gguf/open_checkpoint.h"
#include "grin/model/libtorch.h"
#include "grin/run/device.h"
#include "grin/run/provenance.h"

namespace grin {

std::optional<at::ScalarType> ParseComputeType(const std::string& text) {
  if (text.empty()) return std::nullopt;
  if (text == "float32" || text == "fp32") return at::kFloat;
  if (text == "bfloat16" || text == "bf16") return at::kBFloat16;
  BadUsage("run", "--dtype '{}' is not known; it is float32 or bfloat16", text);
}

SumRule SumRuleOf(const ComputeOptions& compute) {
  if (compute.reduce != "fp32" && compute.reduce != "bf16") {
    BadUsage("run", "--reduce '{}' is not known; it is fp32 or bf16", compute.reduce);
  }
  return {.deterministic = compute.deterministic, .narrow = compute.reduce == "bf16"};
}

Workspace OpenModel(const WorkspaceOptions& options) {
  if (options.model.model.empty()) BadUsage("run", "--model is required; see --help");
  const std::optional<at::ScalarType> type = ParseComputeType(options.compute.dtype);
  Workspace workspace{.options = options};
  ComputeOptions& compute = workspace.options.compute;
  const SumRule rule = SumRuleOf(compute);
  const auto ranks = options.ranks ? options.ranks : std::make_shared<const Ranks>(rule);
  SettleDevice(compute);
  workspace.checkpoint = OpenCheckpoint(options.model.model);
  workspace.model = InStage(compute, "loading the weights", "", [&] {
    at::Device device = FindDevice(compute.device);
    if (device.is_cuda() && !ranks->alone() && CardNumber(options.compute.device) <= 0) {
      // Each process of a machine takes a card of its own, as far as there are so many.
      device.set_index(static_cast<c10::DeviceIndex>(ranks->local_rank() % FindCards().count));
    }
    Model model = LoadModel(workspace.checkpoint, type, device);
    model.ranks = ranks;
    CheckHasProducts(device, model.weights->dtype());
    return model;
  });
  Info("model {}; computing in {} on {}", workspace.checkpoint->Describe(),
       workspace.model.weights->dtype() == at::kBFloat16 ? "bfloat16" : "float32",
       compute.device);
  return workspace;
}

void OpenEncoder(Workspace& workspace) {
  const DataOptions& data = workspace.options.data;
  if (data.max_length < 0) {
    BadUsage("run", "--max-length is {}; it must not be negative", data.max_length);
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

Workspace OpenWorkspace(const WorkspaceOptions& options) {
  Workspace workspace = OpenModel(options);
  OpenEncoder(workspace);
  return workspace;
}

LoadedData LoadData(const Workspace& workspace, const std::string& files) {
  LoadedData data;
  data.examples = LoadExamples(files, workspace.options.data.columns);
  data.sequences = workspace.encoder->EncodeAll(data.examples);
  data.input = DescribeInput(files, static_cast<int64_t>(data.examples.size()));
  return data;
}

LoadedTask LoadTask(const Workspace& workspace, const TaskOptions& options) {
  if (options.forget.empty()) BadUsage("run", "--forget is required; see --help");
  if (options.retain.empty()) BadUsage("run", "--retain is required; see --help");
  const std::string& columns = workspace.options.data.columns;
  std::vector<Example> forget = LoadExamples(options.forget, columns);
  std::vector<Example> retain = LoadExamples(options.retain, columns);
  LoadedTask loaded{.options = options};
  loaded.task = MakeTask(*workspace.encoder, std::move(forget), std::move(retain),
                         options.allow_overlap);
  const auto describe = [](const std::string& files, const std::vector<Example>& examples) {
    return DescribeInput(files, static_cast<int64_t>(examples.size()));
  };
  loaded.inputs = {{"forget", describe(options.forget, loaded.task.forget)},
                   {"retain", describe(options.retain, loaded.task.retain)}};
  Info("data: {} records to forget, {} to retain", loaded.task.forget.size(),
       loaded.task.retain.size());
  return loaded;
}

int64_t LongestOf(const std::vector<Sequence>& sequences) {
  int64_t longest = 0;
  for (const Sequence& sequence : sequences) longest = std::max(longest, sequence.length());
  return longest;
}

int64_t LongestOf(const Task& task) {
  return std::max(LongestOf(task.forget_sequences), LongestOf(task.retain_sequences));
}

}  // namespace grin
