#pragma once
// The work of an attack on one model, in parts: what an earlier run has finished is not done again,
// and how far all of it has come is known.

#include <functional>
#include <string>

#include "grin/attack/attack.h"
#include "grin/base/json.h"

namespace grin {

class AttackParts {
 public:
  virtual ~AttackParts() = default;

  // The result of a part, from an earlier run or from `work`. The name tells it from the other parts
  // of the same attack on the same model. `share`: of the attack's work on this model, from 0 to 1.
  virtual Json Do(const std::string& name, double share, const std::function<Json()>& work) = 0;
};

// One part that gives figures, or a number for each record, where the subject has parts; else the work
// itself.
std::vector<AttackFigure> FiguresOfPart(const Subject& subject, const std::string& name, double share,
                                        const std::function<std::vector<AttackFigure>()>& work);
std::map<int64_t, int64_t> CountsOfPart(const Subject& subject, const std::string& name, double share,
                                        const std::function<std::map<int64_t, int64_t>()>& work);

// A figure to the last bit.
Json FigureToJson(const AttackFigure& figure);
AttackFigure FigureFromJson(const Json& json);

}  // namespace grin
