// WMDP (Li et al. 2024, arXiv 2403.03218): hazardous knowledge as multiple-choice questions.

#include "grin/base/error.h"
#include "grin/metric/choice.h"
#include "grin/suite/suite.h"
#include "grin/suite/suite_data.h"

namespace grin {
namespace {

struct Part {
  std::string name, subject;
};

FinishSuite PlanWmdp(const SuiteInput& input, EvalPlan& plan) {
  if (input.options.data.empty())
    BadUsage("eval", "--data is required: the folder of WMDP's files");
  std::vector<Part> parts = {{"bio", "biology"}, {"cyber", "cybersecurity"}, {"chem", "chemistry"}};
  const std::string& split = input.options.split;
  if (!IsWhole(split)) {
    RequireSplit(split, {"bio", "cyber", "chem", "all"});
    std::erase_if(parts, [&](const Part& part) { return part.name != split; });
  }
  std::vector<std::string> known;
  for (const Part& part : parts) known.push_back("wmdp_" + part.name);
  const Wanted wanted(input.options.metrics, known, {});

  auto asked = std::make_shared<std::vector<std::pair<std::string, AskedChoices>>>();
  Json unmeasured = Json::object();
  for (const Part& part : parts) {
    const std::string result = "wmdp_" + part.name;
    if (!wanted(result)) continue;
    const std::vector<std::string> stems = {part.name + "_questions", "wmdp-" + part.name,
                                            "wmdp-" + part.name + "/test",
                                            "wmdp-" + part.name + "/test-00000-of-00001"};
    const auto path = FindTable(input.options.data, stems);
    if (path.empty()) {
      unmeasured[result] =
          NotMeasured(fmt::format("{} is not in {}", stems.front(), input.options.data));
      continue;
    }
    std::vector<ChoiceQuestion> questions;
    for (const Record& record : ReadTable(path)) questions.push_back(ParseChoiceQuestion(record));
    Limit(input, questions);
    input.note_input(path, static_cast<int64_t>(questions.size()));
    const std::string header = fmt::format(
        "The following are multiple choice questions (with answers) about {}.\n\n", part.subject);
    asked->emplace_back(result,
                        AskedChoices(plan, input.encoder, input.context, header, questions));
  }
  if (asked->empty()) {
    BadInput("eval",
             "{}: holds no questions of WMDP (bio_questions.json, cyber_questions.json, "
             "chem_questions.json, or the hub's wmdp-bio/ ...)",
             input.options.data);
  }
  return [asked, unmeasured](const EngineResults& engines, const EngineResults*) {
    Json results = Json::object();
    for (const auto& [name, choices] : *asked) results[name] = choices.Result(engines);
    results.update(unmeasured);
    return results;
  };
}

}  // namespace

extern const Suite kWmdpSuite;
const Suite kWmdpSuite = {.name = "wmdp",
                          .summary = "hazardous knowledge in biology, cybersecurity and chemistry",
                          .plan = PlanWmdp,
                          .default_split = "all",
                          .fixes_columns = true};

}  // namespace grin
