// grin sweep: grids or draws of settings, several seeds, one table.

#include "grin/sweep/sweep.h"

#include <cstdio>

#include "grin/base/error.h"
#include "grin/cli/command.h"
#include "grin/sweep/options.h"
#include "grin/sweep/sweep_table.h"

namespace grin {
namespace {

struct SweepSettings {
  std::string sweep, out;

  template <typename Visitor>
  void Visit(Visitor& visit) {
    visit("out", out,
          "folder of the sweep: results, models and the table; go on with it by the same "
          "command");
  }
};

void SweepCommand(const SweepSettings& settings, const CommonOptions& common) {
  Require(settings.out, "--out");
  if (common.compute.seed != 0) {
    BadUsage("sweep", "--seed says nothing to a sweep; its seeds stand in the file, [sweep] seeds");
  }
  const Json table = Sweep(settings.sweep, settings.out, common.compute);
  if (common.json) {
    PrintJson(table);
  } else if (!common.quiet) {
    fmt::print("{}", SweepMarkdown(table));
  }
  for (const Json& row : table["rows"]) {
    if (row["failures"].empty()) continue;
    BadInput("sweep", "runs of {} failed: {}; the same command tries them again",
             row["method"].get<std::string>(), row["failures"][0].get<std::string>());
  }
}

// The keys of a section, for --help.
struct KeyLines {
  std::string text;

  template <typename T>
  void operator()(const std::string& name, const T&, const std::string& help) {
    text += fmt::format("    {:<10} {}\n", name, help);
  }
};

const std::string& SweepHelp() {
  static const std::string help = [] {
    KeyLines sweep, choose;
    SweepOptions().Visit(sweep);
    ChooseOptions().Visit(choose);
    return "SWEEP.toml has the sections (docs/sweeps.md has examples)\n"
           "  [sweep]\n" +
           sweep.text +
           "  [[finetune]]   models made once, in DIR/models/NAME: name, and keys of grin "
           "finetune\n"
           "  [unlearn]      keys of grin unlearn, for all runs\n"
           "  [grid]         keys of grin unlearn, each with a list of values (or, with draws, a "
           "range\n"
           "                 {min = 1e-4, max = 1e-2, log = true})\n"
           "  [[method]]     a row to compare: name, keys of grin unlearn, and [method.grid]\n"
           "  [eval]         keys of grin eval\n"
           "  [attack]       keys of grin attack\n"
           "  [choose]\n" +
           choose.text +
           "Examples:\n"
           "  grin sweep sweep.toml --out SWEEP\n"
           "  grin report SWEEP/table.json --out report.html\n"
           "An interrupted or killed sweep goes on by the same command; several processes may work "
           "on "
           "one DIR at once.";
  }();
  return help;
}

std::function<void()> SetUpSweep(Flags& flags, const CommonOptions& common) {
  auto settings = std::make_shared<SweepSettings>();
  flags.Positional("SWEEP", settings->sweep, "TOML file of the sweep");
  flags.Bind("Output", *settings);
  return [settings, &common] { SweepCommand(*settings, common); };
}

}  // namespace

extern const Command kSweep;
const Command kSweep = {
    .name = "sweep",
    .summary = "many settings, several seeds, measured alike: one table, and what wins",
    .examples = SweepHelp(),
    .set_up = SetUpSweep,
    .heeds = "device memory-budget",
    .processes = Processes::kBeside};

}  // namespace grin
