#pragma once
// The figures of one run, as its file holds them, and the parts of them that are by records.

#include <map>
#include <optional>
#include <string>

#include "grin/base/json.h"
#include "grin/suite/results.h"

namespace grin {

// Which records count: all, or those of even or of odd number.
enum class Records { kAll, kEven, kOdd };

// A figure of one model.
struct MeasuredFigure {
  std::optional<double> value;
  IndexedValues records;  // whose mean the value is; empty where it is no such mean

  // The mean over the records; the value itself where there are none, or all count. Nothing where
  // it was not measured, or no record counts.
  std::optional<double> Of(Records which) const;
};

// The same figure of the unlearned model, of the one before and of the never-taught one.
struct ComparedFigure {
  MeasuredFigure model, before, reference;
  // Whether it says how much of the forget set is known (of an attack).
  bool is_knowledge = false;
};

using RunFigures = std::map<std::string, ComparedFigure>;

// Figures of a results file of `grin eval`, of one model: all metrics, and the aggregates (model
// utility, forget quality ...) beside the results of the never-taught model and of the one before,
// which may be null.
std::map<std::string, MeasuredFigure> FiguresOfEval(const Json& results, const Json* reference,
                                                    const Json* before);

// Figures of a results file of `grin attack`.
RunFigures FiguresOfAttack(const Json& results);

// As files hold them: {name: {"value", "records", "before", ..., "is_knowledge"}}.
Json FiguresToJson(const RunFigures& figures);
RunFigures FiguresFromJson(const Json& json);

}  // namespace grin
