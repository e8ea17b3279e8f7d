#include "grin/tune/options.h"

#include "grin/base/log.h"

namespace grin {
ObjectiveOptions Resolved(ObjectiveOptions options, bool open_unlearning) {
  const Objective& objective = FindForgetObjective(options.objective);
  if (!options.gamma) {
    const bool theirs = open_unlearning && objective.open_unlearning_gamma >= 0;
    options.gamma = theirs ? objective.open_unlearning_gamma : objective.gamma;
  }
  if (options.retain_loss == "auto") options.retain_loss = objective.retain_default;
  if (!options.alpha) options.alpha = objective.alpha;
  if (options.forget_tokens.empty()) options.forget_tokens = open_unlearning ? "all" : "keywords";
  std::erase_if(options.parameters,
                [&](const auto& parameter) { return !HasParameter(objective, parameter.first); });
  for (const ObjectiveParameter& parameter : objective.parameters) {
    std::optional<double>& value = options.parameters[std::string(parameter.name)];
    if (!value) value = parameter.value;
  }
  return options;
}

void WarnOfUnused(const ObjectiveOptions& options) {
  const Objective& objective = FindForgetObjective(options.objective);
  for (const auto& [name, value] : options.parameters) {
    if (!value || HasParameter(objective, name)) continue;
    Warn("--{} means nothing to --objective {} and is ignored", name, objective.name);
  }
}

}  // namespace grin
