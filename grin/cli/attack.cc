// grin attack: does it stay forgotten?

#include "grin/run/attack.h"

#include <cstdio>

#include "grin/cli/command.h"

namespace grin {
namespace {

struct AttackSettings {
  WorkspaceOptions where;
  AttackRunOptions attack;
};

std::string AttackCell(const Json& metric, const char* key, bool percent = false) {
  const auto found = metric.find(key);
  if (found == metric.end() || !found->is_number()) return "-";
  const double value = found->get<double>();
  return percent ? fmt::format("{:.0f} %", 100 * value) : fmt::format("{:.3f}", value);
}

// One row for each figure, in groups by attack; then the verdict.
void PrintAttacks(const Json& results) {
  fmt::print("{:<58}{:>8}{:>9}{:>9}{:>10}{:>9}\n", "", "model", "before", "never", "came back",
             "robust");
  std::string group;
  for (const auto& [name, metric] : results.items()) {
    if (name == "grin") continue;
    if (const std::string attack = metric.value("attack", ""); attack != group) {
      group = attack;
      fmt::print("{}\n", group);
    }
    fmt::print("  {:<56}{:>8}{:>9}{:>9}{:>10}{:>9}\n", metric.value("label", name),
               AttackCell(metric, "agg_value"), AttackCell(metric, "before"),
               AttackCell(metric, "reference"), AttackCell(metric, "came_back", true),
               AttackCell(metric, "robustness"));
    if (metric.contains("not_measured")) {
      fmt::print("    not measured: {}\n", metric["not_measured"].get<std::string>());
    }
  }
  fmt::print("\n{}\n", results["grin"]["verdict"]["headline"].get<std::string>());
}

void AttackCommand(AttackSettings settings, const CommonOptions& common) {
  settings.where.compute = common.compute;
  settings.where.ranks = common.ranks;
  Require(settings.where.model.model, "--model");
  Require(settings.attack.output.out, "--out");
  KeepOutputToRank0(common, settings.attack.output);
  Json results = RunAttack(settings.where, settings.attack);
  if (common.json) {
    for (auto& [name, metric] : results.items()) metric.erase("value_by_index");
    PrintJson(results);
  } else if (!common.quiet) {
    PrintAttacks(results);
  }
}

std::function<void()> SetUpAttack(Flags& flags, const CommonOptions& common) {
  auto settings = std::make_shared<AttackSettings>();
  flags.Bind("Input", settings->where.model);
  flags.Bind("Attack", settings->attack);
  flags.Bind("Input", settings->where.data);
  flags.Bind("Output", settings->attack.output);
  flags.Bind("Output", settings->attack.state);
  return [settings, &common] { AttackCommand(*settings, common); };
}

}  // namespace

extern const Command kAttack;
const Command kAttack = {
    .name = "attack",
    .summary = "does it stay forgotten: relearning, rounding and sampling, beside before and never",
    .examples =
        "Examples:\n"
        "  grin attack --model FORGOT --before FULL --reference RETAIN --forget F --retain R --out "
        "attack.json\n"
        "  grin attack --model FORGOT --before FULL --forget F --retain R --attacks round --out "
        "round.json\n"
        "  grin report eval.json attack.json --out report.html",
    .set_up = SetUpAttack,
    .processes = Processes::kTogether};

}  // namespace grin
