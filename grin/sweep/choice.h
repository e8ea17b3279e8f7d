#pragma once
// Which setting deserves to be chosen: what is left of the forget set, among those that keep the
// rest.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "grin/sweep/figure.h"
#include "grin/sweep/options.h"

namespace grin {

// The name under which the largest share that came back stands among figures.
inline constexpr const char* kCameBack = "came_back";

// The options with their defaults filled in. Error (usage) for a figure that is not among `known`.
ChooseOptions SettleChoice(ChooseOptions options, const std::vector<std::string>& known,
                           bool attacks);

// Of what was known before, the largest share that any figure of knowledge shows; nothing where
// none can be told.
std::optional<double> LargestCameBack(const RunFigures& figures, Records which);

// What one figure says is left: the distance to the never-taught model as a share of that of the
// model before, where there is such a model; else the figure itself.
std::optional<double> LeftOf(const RunFigures& figures, const std::string& name, Records which);

// Whether one of the utilities is below `share` of the model before. Those that were not measured
// do not count.
bool IsHopeless(const RunFigures& figures, const std::vector<std::string>& utility, double share,
                Records which);

struct Spread {
  double mean = 0;
  double deviation = 0;  // over the seeds, with n - 1; 0 for one
  int64_t count = 0;
};
// Nothing of no values.
std::optional<Spread> SpreadOf(const std::vector<double>& values);

// What the runs of one setting say together.
struct Judgement {
  std::optional<double> utility;  // the least of the utilities, as shares of the model before
  std::optional<double> left;
};
Judgement JudgeSetting(const std::vector<RunFigures>& seeds, const ChooseOptions& options,
                       Records which);

// The place of the one with the least left among those that keep `floor`; of equal ones that of the
// higher utility, then the first. Nothing where none keeps it.
std::optional<size_t> Choose(const std::vector<Judgement>& judged, double floor);

// The places of the best `count`: those that keep `floor` first, by what is left; then the others, by
// their utility. Those without a judgement come last, and are none.
std::vector<size_t> BestOf(const std::vector<Judgement>& judged, double floor, size_t count);

}  // namespace grin
