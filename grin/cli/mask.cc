// grin mask: masks as sets, and how far they agree beyond chance.

#include <cstdio>
#include <optional>

#include "grin/base/error.h"
#include "grin/base/log.h"
#include "grin/base/table.h"
#include "grin/cli/command.h"
#include "grin/io/data_files.h"
#include "grin/locate/locate.h"
#include "grin/locate/mask_sets.h"
#include "grin/run/output.h"
#include "grin/run/provenance.h"

namespace grin {
namespace {

struct MaskSettings {
  std::string operation;
  std::vector<std::string> files;
  OutputOptions output;
};

double Percent(int64_t part, int64_t whole) {
  return whole == 0 ? 0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole);
}

Json CountsJson(const MaskOverlap::Counts& counts) {
  return {{"entries", counts.entries}, {"a", counts.a},
          {"b", counts.b},             {"both", counts.both},
          {"chance", counts.chance()}, {"chance_deviation", counts.deviation()},
          {"jaccard", counts.jaccard()}};
}

// "12.3 times chance"
std::string TimesChance(int64_t both, double chance) {
  if (chance == 0) return "chance would give none";
  return fmt::format("{:.2f} times chance", static_cast<double>(both) / chance);
}

void PrintOverlap(const MaskOverlap& overlap) {
  fmt::print("  {:<48} {:>11} {:>11} {:>11} {:>13}\n", "tensor", "a", "b", "both", "by chance");
  for (const auto& [name, counts] : overlap.tensors) {
    if (counts.a == 0 && counts.b == 0) continue;
    fmt::print("  {:<48} {:>11} {:>11} {:>11} {:>13.1f}\n", name, counts.a, counts.b, counts.both,
               counts.chance());
  }
  const MaskOverlap::Counts& total = overlap.total;
  fmt::print("  {:<48} {:>11} {:>11} {:>11} {:>13.1f}\n", "total", total.a, total.b, total.both,
             total.chance());
  fmt::print("  in both {}: {} (by chance {:.1f} +- {:.1f}); {} given how many each selects in each "
             "tensor (by chance {:.1f}); Jaccard index {:.4f}\n",
             total.both, TimesChance(total.both, total.chance()), total.chance(), total.deviation(),
             TimesChance(total.both, overlap.chance_by_tensor), overlap.chance_by_tensor,
             total.jaccard());
  if (overlap.a_elsewhere + overlap.b_elsewhere > 0) {
    fmt::print("  not compared: {} of a and {} of b, in weights that the other does not cover\n",
               overlap.a_elsewhere, overlap.b_elsewhere);
  }
}

void Overlap(const std::vector<std::string>& files, const std::vector<Mask>& masks, bool json) {
  if (files.size() < 2) BadUsage("mask", "overlap compares two masks or more, one is given");
  Json pairs = Json::array();
  for (size_t i = 0; i < files.size(); ++i) {
    for (size_t j = i + 1; j < files.size(); ++j) {
      const MaskOverlap overlap = OverlapOf(masks[i], masks[j], files[i], files[j]);
      Json pair = {{"a", ValidUtf8(files[i])},
                   {"b", ValidUtf8(files[j])},
                   {"total", CountsJson(overlap.total)},
                   {"chance_by_tensor", overlap.chance_by_tensor},
                   {"a_elsewhere", overlap.a_elsewhere},
                   {"b_elsewhere", overlap.b_elsewhere},
                   {"tensors", Json::object()}};
      for (const auto& [name, counts] : overlap.tensors) pair["tensors"][name] = CountsJson(counts);
      pairs.push_back(std::move(pair));
      if (json) continue;
      fmt::print("a: {}\nb: {}\n", files[i], files[j]);
      PrintOverlap(overlap);
    }
  }
  if (json) PrintJson(pairs.size() == 1 ? pairs[0] : Json{{"pairs", pairs}});
}

void Stats(const std::vector<std::string>& files, const std::vector<Mask>& masks, bool json) {
  Json all = Json::array();
  for (size_t i = 0; i < files.size(); ++i) {
    const Mask& mask = masks[i];
    Json of_mask = DescribeMask(mask);
    of_mask["file"] = ValidUtf8(files[i]);
    of_mask["tensors"] = Json::object();
    for (const MaskTensor& tensor : mask.tensors()) {
      of_mask["tensors"][tensor.name] = {{"selected", tensor.count}, {"entries", tensor.size()}};
    }
    all.push_back(std::move(of_mask));
    if (json) continue;
    fmt::print("{}: {} of {} weights ({:.3f} %)\n", files[i], mask.count(), mask.total(),
               Percent(mask.count(), mask.total()));
    for (const MaskTensor& tensor : mask.tensors()) {
      fmt::print("  {:<48} {:>11} of {:>11} {:>8.3f} %\n", tensor.name, tensor.count, tensor.size(),
                 Percent(tensor.count, tensor.size()));
    }
    for (const ModuleDensity& module : DensityByModule(mask)) {
      fmt::print("  {:<48} {:>11} of {:>11} {:>8.3f} %\n", "every " + module.module,
                 module.selected, module.total, Percent(module.selected, module.total));
    }
  }
  if (json) PrintJson(all.size() == 1 ? all[0] : Json{{"masks", all}});
}

void Combine(const MaskOperation& operation, const MaskSettings& settings,
             const std::vector<Mask>& masks, const CommonOptions& common) {
  if (masks.size() < 2) {
    BadUsage("mask", "{} takes two masks or more, one is given", operation.name);
  }
  Require(settings.output.out, "--out");
  const Reservation place = ReserveOutput(settings.output, OutputKind::kFile);
  Mask result = CombineMasks(operation, masks, settings.files);
  if (result.count() == 0) {
    BadInput("mask", "no weight is {}: the mask would select nothing", operation.formula);
  }
  Json sources = Json::array();
  for (size_t i = 0; i < masks.size(); ++i) {
    sources.push_back(DescribeInput(settings.files[i], masks[i].count()));
  }
  auto& metadata = result.metadata();
  metadata["method"] = operation.name;
  metadata["fraction"] = fmt::format(
      "{}", static_cast<double>(result.count()) / static_cast<double>(result.total()));
  metadata["sources"] = sources.dump();
  result.Save(settings.output.out);
  Info("wrote {}: {} of {} weights ({:.3f} %)", settings.output.out, result.count(), result.total(),
       Percent(result.count(), result.total()));
  PrintJson(common, DescribeMask(result));
}

void MaskCommand(const MaskSettings& settings, const CommonOptions& common) {
  const auto& operations = MaskOperations();
  const bool combines = settings.operation != "stats" && settings.operation != "overlap";
  if (combines) {
    struct Known {
      std::string_view name;
    };
    std::vector<Known> known = {{"stats"}, {"overlap"}};
    for (const MaskOperation& operation : operations) known.push_back({operation.name});
    FindRow("mask", "operation", known, settings.operation);
  } else if (!settings.output.out.empty()) {
    BadUsage("mask", "--out says nothing to grin mask {}, which prints; leave it out",
             settings.operation);
  }
  std::vector<Mask> masks;
  for (const std::string& file : settings.files) masks.push_back(Mask::Load(file));
  if (settings.operation == "stats") return Stats(settings.files, masks, common.json);
  if (settings.operation == "overlap") return Overlap(settings.files, masks, common.json);
  Combine(FindRow("mask", "operation", operations, settings.operation), settings, masks, common);
}

std::function<void()> SetUpMask(Flags& flags, const CommonOptions& common) {
  auto settings = std::make_shared<MaskSettings>();
  std::string help = "stats: what each selects; overlap: how far two agree beyond chance";
  for (const MaskOperation& operation : MaskOperations()) {
    help += fmt::format("; {}: {}", operation.name, operation.formula);
  }
  flags.Positional("OPERATION", settings->operation, help);
  flags.Positional("MASKS", settings->files, "mask files, of one model");
  flags.Bind("Output", settings->output);
  return [settings, &common] { MaskCommand(*settings, common); };
}

}  // namespace

extern const Command kMask;
const Command kMask = {
    .name = "mask",
    .summary = "masks as sets: union, intersect, subtract; stats, and overlap beyond chance",
    .examples =
        "Examples:\n"
        "  grin mask overlap grin.safetensors random.safetensors --json\n"
        "  grin mask subtract found.safetensors needed.safetensors --out rest.safetensors\n"
        "By chance: the average overlap of two random masks that select as many weights.",
    .set_up = SetUpMask,
    .heeds = ""};

}  // namespace grin
