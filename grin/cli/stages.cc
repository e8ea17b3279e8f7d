#include "grin/cli/stages.h"

#include <cstdio>

#include "grin/base/error.h"
#include "grin/base/log.h"
#include "grin/base/memory.h"
#include "grin/locate/locate.h"

namespace grin {

Task LoadTask(const Workspace& workspace, const TaskOptions& options, const DataOptions& data) {
  Require(options.forget, "--forget");
  Require(options.retain, "--retain");
  std::vector<Example> forget = LoadExamples(options.forget, data.columns);
  std::vector<Example> retain = LoadExamples(options.retain, data.columns);
  Task task = MakeTask(*workspace.encoder, std::move(forget), std::move(retain),
                       options.allow_overlap);
  Info("data: {} records to forget, {} to retain", task.forget.size(), task.retain.size());
  return task;
}

int64_t ScoreBytes(const Model& model) {
  int64_t bytes = 0;
  for (const std::string& name : model.BlockMatrices()) {
    bytes += 2 * 4 * model.weights->tensors().at(name).numel();
  }
  return bytes;
}

int64_t MaskedBytes(const Model& model, double fraction) {
  // Master, m, v, gradient and index, two states to go back to, and the tensors' own memory.
  const double entries = static_cast<double>(ScoreBytes(model)) / 8.0;
  const auto element = static_cast<double>(c10::elementSize(model.weights->dtype()));
  return static_cast<int64_t>(entries * (fraction * 28.0 + element));
}

int64_t LongestOf(const Task& task) {
  return std::max(LongestOf(task.forget_sequences), LongestOf(task.retain_sequences));
}

Json DescribeTask(const TaskOptions& options, const Task& task) {
  return {{"forget", DescribeInput(options.forget, static_cast<int64_t>(task.forget.size()))},
          {"retain", DescribeInput(options.retain, static_cast<int64_t>(task.retain.size()))}};
}

Json DescribeMask(const Mask& mask) {
  Json modules = Json::object();
  for (const ModuleDensity& module : DensityByModule(mask)) {
    modules[module.module] =
        static_cast<double>(module.selected) / static_cast<double>(module.total);
  }
  Json json = {{"selected", mask.count()}, {"scored", mask.total()}, {"density", modules}};
  for (const auto& [key, value] : mask.metadata()) json[key] = value;
  return json;
}

Json DescribeTuning(const TuneReport& report) {
  return {{"steps", report.steps},   {"kept_step", report.kept_step}, {"tokens", report.tokens},
          {"seconds", report.seconds}, {"guard", report.guard},       {"first", report.first},
          {"last", report.last}};
}

void ReportGuard(const TuneReport& report, const std::string& out) {
  if (report.guard.empty()) return;
  throw Error(ErrorClass::kGuard, "tune",
              fmt::format("{}; {} holds the state after step {}; lower --lr or --gamma", report.guard,
                          out, report.kept_step));
}

void FinishTraining(const CommonOptions& common, const OutputOptions& output,
                    const Workspace& workspace, Trainable& trainable, const Mask* mask,
                    const TuneReport& report, const Progress& clock, Json document) {
  const std::string model = workspace.checkpoint->path().string();
  document["inputs"]["model"] = model;
  if (mask) document["mask"] = DescribeMask(*mask);
  document["tune"] = DescribeTuning(report);
  document["cost"]["seconds"] = clock.seconds();
  WriteOutput(output, *workspace.checkpoint, &trainable, document, mask, report.log);
  Info("wrote {} after {} steps in {}; peak memory {:.2f} GB", output.out, report.steps,
       FormatDuration(clock.seconds()), static_cast<double>(PeakMemory()) / 1e9);
  if (mask) {
    Info("check it with: grin diff {} {} --mask {}/mask.safetensors", model, output.out, output.out);
  }
  PrintJson(common, document);
  ReportGuard(report, output.out);
}

void PrintJson(const CommonOptions& common, const Json& result) {
  if (common.json) fmt::print("{}\n", result.dump());
}

}  // namespace grin
