#include "grin/sweep/sweep_plan.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "grin/base/error.h"
#include "grin/base/hash.h"
#include "grin/base/random.h"

namespace grin {
namespace {

using Point = std::vector<Json>;  // a value for each axis

std::vector<Point> WholeGrid(const std::vector<GridAxis>& axes) {
  std::vector<Point> points = {{}};
  for (const GridAxis& axis : axes) {
    std::vector<Point> longer;
    for (const Point& point : points) {
      for (const Json& value : axis.values) {
        longer.push_back(point);
        longer.back().push_back(value);
      }
    }
    points = std::move(longer);
  }
  return points;
}

Json DrawFrom(const GridAxis& axis, const RandomStream& random, uint64_t position) {
  if (!axis.values.empty()) return axis.values[random.Below(position, axis.values.size())];
  const double share = random.Uniform(position);
  if (axis.integer && !axis.log) {
    const auto numbers = static_cast<uint64_t>(axis.max - axis.min) + 1;
    return static_cast<int64_t>(axis.min) + static_cast<int64_t>(random.Below(position, numbers));
  }
  double value = axis.log ? axis.min * std::pow(axis.max / axis.min, share)
                          : axis.min + (axis.max - axis.min) * share;
  if (axis.integer) return std::llround(value);
  // Four digits say all that a draw says.
  value = std::stod(fmt::format("{:.4g}", value));
  return std::clamp(value, axis.min, axis.max);
}

std::vector<Point> Draws(const SweepMethod& method, const SweepOptions& options,
                         std::vector<std::string>& notes) {
  const bool ranges =
      std::ranges::any_of(method.axes, [](const GridAxis& axis) { return axis.values.empty(); });
  if (!ranges) {
    std::vector<Point> all = WholeGrid(method.axes);
    if (static_cast<int64_t>(all.size()) <= options.draws) return all;
  }
  const RandomStream random(static_cast<uint64_t>(options.draw_seed), "sweep/" + method.name);
  std::vector<Point> points;
  const auto wanted = static_cast<size_t>(options.draws);
  const uint64_t tries = 100 * static_cast<uint64_t>(options.draws);
  for (uint64_t draw = 0; draw < tries && points.size() < wanted; ++draw) {
    Point point;
    for (size_t i = 0; i < method.axes.size(); ++i) {
      point.push_back(DrawFrom(method.axes[i], random, draw * method.axes.size() + i));
    }
    if (std::ranges::find(points, point) == points.end()) points.push_back(std::move(point));
  }
  if (points.size() < wanted) {
    notes.push_back(fmt::format("{}: {} of {} draws differ from each other", method.name,
                                points.size(), wanted));
  }
  return points;
}

std::vector<SweepSetting> SettingsOf(const SweepMethod& method, const SweepOptions& options,
                                     std::vector<std::string>& notes) {
  std::vector<SweepSetting> settings;
  for (const Point& point :
       options.draws > 0 ? Draws(method, options, notes) : WholeGrid(method.axes)) {
    SweepSetting setting{.method = method.name, .values = method.fixed};
    for (size_t i = 0; i < point.size(); ++i) {
      const GridAxis& axis = method.axes[i];
      setting.values.push_back({axis.key, point[i], axis.place});
      setting.varied[axis.key] = point[i];
    }
    settings.push_back(std::move(setting));
  }
  return settings;
}

// What is wrong with a setting, with its name before it.
template <typename Check>
void InSetting(const SweepSetting& setting, const Check& check) {
  try {
    check();
  } catch (const Error& error) {
    const std::string varied = DescribeVaried(setting.varied);
    throw Error(error.error_class(), "sweep",
                fmt::format("{}{}{}: {}", setting.method, varied.empty() ? "" : ", ", varied,
                            error.what()));
  }
}

}  // namespace

std::string DescribeVaried(const Json& varied) {
  std::string text;
  for (const auto& [key, value] : varied.items()) {
    text += fmt::format("{}{} = {}", text.empty() ? "" : ", ", key,
                        value.is_string() ? value.get<std::string>() : value.dump());
  }
  return text;
}

SweepPlan MakeSweepPlan(const SweepFile& file, SweepIdentities& identities) {
  SweepPlan plan;
  std::vector<std::vector<SweepSetting>> by_method;
  size_t most = 0;
  for (const SweepMethod& method : file.methods) {
    by_method.push_back(SettingsOf(method, file.sweep, plan.notes));
    most = std::max(most, by_method.back().size());
  }
  for (size_t i = 0; i < most; ++i) {
    for (auto& settings : by_method) {
      if (i < settings.size()) plan.settings.push_back(std::move(settings[i]));
    }
  }
  const auto limit = file.sweep.runs > 0 ? static_cast<size_t>(file.sweep.runs) : SIZE_MAX;
  for (const int64_t seed : file.seeds) {
    for (size_t i = 0; i < plan.settings.size() && plan.runs.size() < limit; ++i) {
      SweepSetting& setting = plan.settings[i];
      SweepRun run{.setting = i, .seed = seed, .unlearn = file.UnlearnOf(setting.values)};
      run.unlearn.where.compute.seed = seed;
      run.eval = file.EvalOf(run.unlearn);
      run.attack = file.AttackOf(run.unlearn);
      if (file.attacks && run.eval.evaluate.suite.reference.empty()) {
        run.eval.evaluate.suite.reference = run.attack.attack.reference;
      }
      InSetting(setting, [&] {
        CheckUnlearn(run.unlearn.where.compute, run.unlearn.unlearn);
        for (const auto& [key, value] : {std::pair("model", run.unlearn.where.model.model),
                                         std::pair("forget", run.unlearn.task.forget),
                                         std::pair("retain", run.unlearn.task.retain)}) {
          if (value.empty()) BadUsage("sweep", "[unlearn] needs {} = \"...\"", key);
        }
        if (file.attacks) CheckRun(run.attack.where.compute, run.attack.attack);
        if (file.evaluates) FindSuite(run.eval.evaluate.suite.suite);
        Json identity = {{"unlearn", identities.OfUnlearn(run.unlearn)}};
        if (file.evaluates) identity["eval"] = identities.OfEval(run.eval);
        if (file.attacks) identity["attack"] = identities.OfAttack(run.attack);
        run.hash = Fingerprint(identity.dump());
      });
      setting.runs.push_back(plan.runs.size());
      plan.runs.push_back(std::move(run));
    }
  }
  size_t cut = 0;
  for (const SweepSetting& setting : plan.settings) {
    cut += file.seeds.size() - setting.runs.size();
  }
  if (cut > 0) {
    plan.notes.push_back(
        fmt::format("runs = {}: {} more runs of the plan are left out", file.sweep.runs, cut));
  }
  std::erase_if(plan.settings, [](const SweepSetting& setting) { return setting.runs.empty(); });
  for (const SweepFinetune& finetune : file.finetunes) {
    CheckStepOptions(finetune.finetune.steps);
    if (finetune.finetune.data.empty() || finetune.where.model.model.empty()) {
      BadUsage("sweep", "[[finetune]] {}: model and data are required", finetune.name);
    }
  }
  return plan;
}

}  // namespace grin
