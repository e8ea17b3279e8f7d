// Perplexity of running text: what is left of the language model.

#include "grin/base/error.h"
#include "grin/suite/perplexity.h"
#include "grin/suite/suite.h"
#include "grin/suite/suite_data.h"

namespace grin {
namespace {

FinishSuite PlanPerplexity(const SuiteInput& input, EvalPlan& plan) {
  if (input.options.data.empty()) BadUsage("eval", "--data is required: a text file, or records");
  Wanted(input.options.metrics, {"perplexity"}, {});
  auto asked = std::make_shared<AskedText>(plan, input, input.options.data);
  return [asked](const EngineResults& engines, const EngineResults*) {
    return Json{{"perplexity", asked->Result(engines)}};
  };
}

}  // namespace

extern const Suite kPerplexitySuite;
const Suite kPerplexitySuite = {.name = "perplexity",
                                .summary = "of running text, over windows of the model's context",
                                .plan = PlanPerplexity};

}  // namespace grin
