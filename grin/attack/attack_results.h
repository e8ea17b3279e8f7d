#pragma once
// The figures of all models as one results file, and what they say together.

#include <optional>
#include <string>
#include <vector>

#include "grin/attack/attack.h"

namespace grin {

// The figures of one attack, model by model. Each list has the same figures in the same order, or
// is empty where there is no such model.
struct AttackedModels {
  const Attack* attack = nullptr;
  std::vector<AttackFigure> model, before, reference;
};

// Of what was forgotten, the share that a figure of knowledge shows: 0 where the model stands as
// the never-taught one does, 1 where it stands as the one before, cut off to that range. Nothing
// where a value is missing, or where those two differ by less than .1, so that the figure tells
// nothing.
std::optional<double> CameBack(std::optional<double> model, std::optional<double> before,
                               std::optional<double> reference);

// {name: {"agg_value", "before", "reference", "interval", "before_interval", "reference_interval",
// "attack", "label", "came_back", "robustness", "curve", "value_by_index", details}, ...}: see
// docs/attacks.md. Intervals are of the mean over the records: a bootstrap of 95 %.
Json AttackResults(const std::vector<AttackedModels>& attacked);

// What AttackResults say in one sentence: {"headline", "tone" (good, fair, poor, unknown), "shown",
// "worst", "worst_figure"}. "shown" is the share of what was forgotten that stands in the model's
// own answers, "worst" the largest share that any question or attack brings out.
Json AttackVerdict(const Json& results);

}  // namespace grin
