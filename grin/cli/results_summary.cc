#include "grin/cli/results_summary.h"

#include <fmt/format.h>

namespace grin {

void PrintResults(const Json& results) {
  for (const auto& [name, result] : results.items()) {
    if (name == "grin") continue;
    const Json value = result.value("agg_value", Json());
    std::string text = value.is_number() ? fmt::format("{:.4g}", value.get<double>())
                                         : "not measured: " + result.value("not_measured", "");
    if (result.contains("interval")) {
      text += fmt::format("  ({:.4g} .. {:.4g})", result["interval"][0].get<double>(),
                          result["interval"][1].get<double>());
    }
    if (result.contains("stderr") && result["stderr"].is_number()) {
      text += fmt::format("  +- {:.2g}", result["stderr"].get<double>());
    }
    fmt::print("{:<36}{}\n", name, text);
  }
}

Json SummaryOf(const Json& results) {
  Json summary = Json::object();
  for (const auto& [name, result] : results.items()) {
    summary[name] = name == "grin" ? result : result.value("agg_value", Json());
  }
  return summary;
}

}  // namespace grin
