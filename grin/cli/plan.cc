// grin plan: what a run of grin unlearn will take.

#include "grin/cli/bind_stages.h"
#include "grin/cli/command.h"
#include "grin/run/run_plan.h"

namespace grin {
namespace {

struct PlanSettings {
  std::string recipe;
  WorkspaceOptions where;
  TaskOptions task;
  UnlearnOptions unlearn;
  PlanOptions plan;
};

std::string Amount(const Json& bytes) {
  return fmt::format("{:.2f} GB", bytes.get<double>() / 1e9);
}

std::string Time(const Json& seconds) {
  if (seconds.is_null()) return "not measured";
  const double value = seconds;
  if (value < 100) return fmt::format("{:.1f} s", value);
  return value < 6000 ? fmt::format("{:.1f} min", value / 60)
                      : fmt::format("{:.1f} h", value / 3600);
}

void PrintPlan(const Json& plan) {
  fmt::print("{} weights in {} on {}\n\n", plan["weights"].get<int64_t>(),
             plan["dtype"].get<std::string>(), plan["device"].get<std::string>());
  const bool on_device = plan["device_bytes"] > 0;
  fmt::print("  {:<12}{:>14}{:>14}{:>16}\n", "stage", "host", on_device ? "device" : "", "time");
  const auto row = [&](const std::string& name, const Json& of) {
    fmt::print("  {:<12}{:>14}{:>14}{:>16}\n", name, Amount(of["host_bytes"]),
               on_device ? Amount(of["device_bytes"]) : "", Time(of["seconds"]));
  };
  for (const Json& stage : plan["stages"]) row(stage["name"], stage);
  row("peak", plan);
  fmt::print("\n  disk {}\n", Amount(plan["disk_bytes"]));
  if (const std::string how = plan["locating"]; !how.empty()) fmt::print("  locating: {}\n", how);
  for (const auto& [set, size] : plan["assumed"].items()) {
    fmt::print("  --{} was left out: {} sequences of {} tokens are assumed\n", set,
               size["sequences"].get<int64_t>(), size["tokens"].get<int64_t>());
  }
  const Json& rate = plan["operations_per_second"];
  fmt::print("  time: {}\n",
             rate.is_null() ? std::string("the device is not here; --tflops says how fast it is")
                            : fmt::format("of products alone, at {:.4g} operations a second; files "
                                          "and what lies between products are not in it",
                                          rate.get<double>()));
  if (on_device) {
    fmt::print(
        "  host: pages of the checkpoint are in it, which the system drops as it needs to\n");
  }
  if (plan["fits"]) return;
  fmt::print("\nThis does not fit {}.{}\n", Amount(plan["limit_bytes"]),
             plan["advice"].empty() ? "" : " What takes less:");
  for (const Json& line : plan["advice"]) fmt::print("  {}\n", line.get<std::string>());
}

void PlanCommand(PlanSettings settings, const CommonOptions& common) {
  settings.where.compute = common.compute;
  const Json plan = RunPlanCommand(settings.where, settings.task, settings.unlearn, settings.plan);
  if (common.json) return PrintJson(plan);
  PrintPlan(plan);
}

std::function<void()> SetUpPlan(Flags& flags, const CommonOptions& common) {
  auto settings = std::make_shared<PlanSettings>();
  flags.OptionalPositional("RECIPE", settings->recipe,
                           "settings of unlearn in TOML, or the grin.json of a run; flags override them");
  flags.Bind("Input", settings->where.model);
  flags.Bind("Input", settings->task);
  flags.Bind("Input", settings->where.data);
  flags.Bind("Plan", settings->plan);
  BindStages(flags, settings->unlearn);
  flags.IgnoreInConfig<OutputOptions>();
  flags.IgnoreInConfig<StateOptions>();
  return [settings, &common, &flags] {
    if (!settings->recipe.empty()) flags.ApplyConfig(settings->recipe);
    PlanCommand(*settings, common);
  };
}

}  // namespace

extern const Command kPlan;
const Command kPlan = {
    .name = "plan",
    .summary = "say what unlearn will take: memory, time and disk, before anything runs",
    .examples =
        "Examples:\n"
        "  grin plan recipe.toml --memory-budget 24G\n"
        "  grin plan --model M --forget forget.jsonl --retain retain.jsonl --memory-budget 8G\n"
        "  grin plan --model DIR --device cuda --memory-budget 24G --fraction 0.01\n"
        "M is a checkpoint or a .gguf file; of DIR a config.json alone will do. Data files may be "
        "left "
        "out, and are then assumed. A device need not be there to be planned for.",
    .set_up = SetUpPlan};

}  // namespace grin
