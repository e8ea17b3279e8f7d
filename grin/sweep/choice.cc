#include "grin/sweep/choice.h"

#include <algorithm>
#include <cmath>
#include <tuple>

#include "grin/attack/attack_results.h"
#include "grin/base/error.h"
#include "grin/base/nearest.h"

namespace grin {

ChooseOptions SettleChoice(ChooseOptions options, const std::vector<std::string>& known,
                           bool attacks) {
  const auto is_known = [&](const std::string& name) {
    return std::ranges::find(known, name) != known.end();
  };
  if (options.utility.empty()) {
    for (const char* name :
         {"retain_keyword_accuracy", "model_utility", "plain_retain_keyword_accuracy"}) {
      if (!is_known(name)) continue;
      options.utility = {name};
      break;
    }
  }
  if (options.left.empty() && attacks) options.left = {kCameBack};
  if (options.left.empty() && is_known("forget_keyword_accuracy")) {
    options.left = {"forget_keyword_accuracy"};
  }
  for (const auto& [key, names] :
       {std::pair("utility", options.utility), std::pair("left", options.left)}) {
    if (names.empty()) {
      BadUsage("sweep", "[choose] needs {} = [...]; figures here are {}", key,
               fmt::join(known, ", "));
    }
    for (const std::string& name : names) {
      if (is_known(name) || (name == kCameBack && attacks && std::string(key) == "left")) continue;
      const std::string nearest = Nearest(name, known);
      BadUsage("sweep", "[choose] {}: there is no figure '{}'{}; figures here are {}", key, name,
               nearest.empty() ? "" : ", did you mean " + nearest + "?", fmt::join(known, ", "));
    }
  }
  return options;
}

std::optional<double> LargestCameBack(const RunFigures& figures, Records which) {
  std::optional<double> largest;
  for (const auto& [name, figure] : figures) {
    if (!figure.is_knowledge) continue;
    const auto share =
        CameBack(figure.model.Of(which), figure.before.Of(which), figure.reference.Of(which));
    if (share && (!largest || *share > *largest)) largest = share;
  }
  return largest;
}

std::optional<double> LeftOf(const RunFigures& figures, const std::string& name, Records which) {
  if (name == kCameBack) return LargestCameBack(figures, which);
  const auto found = figures.find(name);
  if (found == figures.end()) return std::nullopt;
  const auto model = found->second.model.Of(which), before = found->second.before.Of(which),
             reference = found->second.reference.Of(which);
  if (!model || !reference) return model;
  if (!before || *before == *reference) return std::nullopt;  // the figure tells nothing
  return std::abs((*model - *reference) / (*before - *reference));
}

bool IsHopeless(const RunFigures& figures, const std::vector<std::string>& utility, double share,
                Records which) {
  return std::ranges::any_of(utility, [&](const std::string& name) {
    const auto found = figures.find(name);
    if (found == figures.end()) return false;
    const auto model = found->second.model.Of(which), before = found->second.before.Of(which);
    return model && before && *model < share * *before;
  });
}

std::optional<Spread> SpreadOf(const std::vector<double>& values) {
  if (values.empty()) return std::nullopt;
  const auto count = static_cast<double>(values.size());
  Spread spread{.count = static_cast<int64_t>(values.size())};
  for (const double value : values) spread.mean += value / count;
  if (values.size() > 1) {
    double squares = 0;
    for (const double value : values) squares += (value - spread.mean) * (value - spread.mean);
    spread.deviation = std::sqrt(squares / (count - 1));
  }
  return spread;
}

namespace {

// The mean over the seeds; nothing where one of them has no value.
template <typename ValueOfSeed>
std::optional<double> MeanOver(const std::vector<RunFigures>& seeds, const ValueOfSeed& value_of) {
  double sum = 0;
  for (const RunFigures& figures : seeds) {
    const std::optional<double> value = value_of(figures);
    if (!value) return std::nullopt;
    sum += *value;
  }
  return seeds.empty() ? std::nullopt : std::optional(sum / static_cast<double>(seeds.size()));
}

}  // namespace

Judgement JudgeSetting(const std::vector<RunFigures>& seeds, const ChooseOptions& options,
                       Records which) {
  Judgement judgement;
  bool measured = true;
  for (const std::string& name : options.utility) {
    const auto mean_of = [&](MeasuredFigure ComparedFigure::*side) {
      return MeanOver(seeds, [&](const RunFigures& figures) {
        const auto found = figures.find(name);
        return found == figures.end() ? std::nullopt : (found->second.*side).Of(which);
      });
    };
    const auto model = mean_of(&ComparedFigure::model), before = mean_of(&ComparedFigure::before);
    measured = measured && model && before && *before > 0;
    if (!measured) continue;
    judgement.utility = std::min(judgement.utility.value_or(HUGE_VAL), *model / *before);
  }
  if (!measured) judgement.utility.reset();
  double sum = 0;
  for (const std::string& name : options.left) {
    const auto left =
        MeanOver(seeds, [&](const RunFigures& figures) { return LeftOf(figures, name, which); });
    if (!left) return judgement;
    sum += *left;
  }
  judgement.left = sum / static_cast<double>(options.left.size());
  return judgement;
}

std::optional<size_t> Choose(const std::vector<Judgement>& judged, double floor) {
  std::optional<size_t> best;
  for (size_t i = 0; i < judged.size(); ++i) {
    const Judgement& one = judged[i];
    if (!one.utility || !one.left || *one.utility < floor) continue;
    if (!best) {
      best = i;
      continue;
    }
    const Judgement& other = judged[*best];
    if (*one.left < *other.left || (*one.left == *other.left && *one.utility > *other.utility)) {
      best = i;
    }
  }
  return best;
}

std::vector<size_t> BestOf(const std::vector<Judgement>& judged, double floor, size_t count) {
  std::vector<size_t> best;
  for (size_t i = 0; i < judged.size(); ++i) {
    if (judged[i].utility && judged[i].left) best.push_back(i);
  }
  // Less is better.
  const auto rank = [&](size_t i) {
    const bool keeps = *judged[i].utility >= floor;
    return std::tuple(!keeps, keeps ? *judged[i].left : -*judged[i].utility, -*judged[i].utility);
  };
  std::ranges::stable_sort(best, {}, rank);
  best.resize(std::min(best.size(), count));
  return best;
}

}  // namespace grin
