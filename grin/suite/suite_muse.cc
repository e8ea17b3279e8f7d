// MUSE (Shi et al. 2024, arXiv 2407.06460): news and books, word for word and by what they say.

#include "grin/base/error.h"
#include "grin/metric/membership.h"
#include "grin/metric/metric_set.h"
#include "grin/suite/suite.h"
#include "grin/suite/suite_data.h"

namespace grin {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kLongestText = 2048;

// Questions behind the worked examples of the ICL split, as plain text. `space` ends the prompt.
std::vector<Example> WithShots(std::vector<Example> questions, const std::vector<Example>& shots,
                               const char* space) {
  std::string head;
  for (const Example& shot : shots) {
    head += fmt::format("Question: {}\nAnswer: {}\n\n", shot.prompt, shot.response);
  }
  for (Example& question : questions) {
    question.prompt = fmt::format("{}Question: {}\nAnswer:{}", head, question.prompt, space);
  }
  return questions;
}

FinishSuite PlanMuse(const SuiteInput& input, EvalPlan& plan) {
  if (input.options.data.empty()) {
    BadUsage("eval", "--data is required: a folder with MUSE's knowmem, verbmem and privleak");
  }
  const Wanted wanted(input.options.metrics,
                      {"forget_verbmem_ROUGE", "forget_knowmem_ROUGE", "retain_knowmem_ROUGE",
                       "extraction_strength", "exact_memorization", "mia_min_k", "privleak"},
                      {{"privleak", {"mia_min_k"}}});
  const fs::path data = input.options.data;
  auto sets = std::make_shared<std::vector<MetricSet>>();
  Json unmeasured = Json::object();
  // The set that `results` are of; without it none of them is measured.
  const auto find = [&](const std::vector<std::string>& results,
                        const std::vector<std::string>& stems) {
    const fs::path path = FindTable(data, stems);
    if (path.empty()) {
      for (const std::string& result : results) {
        unmeasured[result] = NotMeasured(fmt::format("{} is not in {}", stems[0], data.string()));
      }
    }
    return path;
  };

  const Phrasing plain = AsPlainText(input.encoder, kLongestText, input.positions);
  const auto verbatim = wanted.Of({{&FindMetric("rouge_f1"), "forget_verbmem_ROUGE"},
                                   {&FindMetric("extraction_strength"), "extraction_strength"},
                                   {&FindMetric("exact_memorization"), "exact_memorization"}});
  if (!verbatim.empty()) {
    std::vector<std::string> results;
    for (const NamedMetric& named : verbatim) results.push_back(named.result);
    if (const fs::path path = find(results, {"verbmem/forget"}); !path.empty()) {
      std::vector<Example> examples = LoadSet(input, path, "prompt=prompt,response=gt");
      // Between both is a space: of the prompt's text, unless the prompt's tokens are taken alone.
      for (Example& example : examples) {
        if (input.encoder.open_unlearning()) {
          example.response = fmt::format(" {}", example.response);
        } else {
          example.prompt += " ";
        }
      }
      sets->emplace_back(
          plan, input.encoder, "verbmem", std::move(examples), verbatim,
          AskOptions{
              .how = {.max_new_tokens = 128}, .phrasing = plain, .positions = input.positions});
    }
  }
  for (const std::string side : {"forget", "retain"}) {
    const auto knows = wanted.Of({{&FindMetric("rouge_f1"), side + "_knowmem_ROUGE"}});
    if (knows.empty()) continue;
    // The authors' repository says retain2 where their data on the hub say retain.
    const std::vector<std::string> stems = {"knowmem/" + side + "_qa", "knowmem/" + side + "2_qa"};
    const fs::path path = find({side + "_knowmem_ROUGE"}, stems);
    if (path.empty()) continue;
    std::vector<Example> shots;
    const fs::path icl = FindTable(data, {stems[0] + "_icl", stems[1] + "_icl"});
    if (!icl.empty()) shots = LoadExamples(icl);
    sets->emplace_back(
        plan, input.encoder, side + "_knowmem",
        WithShots(LoadSet(input, path), shots, input.encoder.open_unlearning() ? " " : ""), knows,
        AskOptions{.how = {.max_new_tokens = 32, .stop = {"\n\n", "\nQuestion", "Question:"}},
                   .phrasing = plain,
                   .positions = input.positions});
  }

  auto attacked = std::make_shared<std::vector<MetricSet>>();  // forget and holdout, or none
  const Attack& attack = FindAttack("mia_min_k");
  if (wanted("mia_min_k") || wanted("privleak")) {
    const fs::path forget = find({"mia_min_k"}, {"privleak/forget"}),
                   holdout = find({"mia_min_k"}, {"privleak/holdout"});
    if (!forget.empty() && !holdout.empty()) {
      for (const fs::path& path : {forget, holdout}) {
        attacked->emplace_back(plan, input.encoder, path.stem().string(), LoadSet(input, path),
                               std::vector<NamedMetric>{}, AskOptions{.how = {}, .phrasing = plain},
                               attack.needs);
      }
    }
  }
  if (sets->empty() && attacked->empty()) RefuseAsUnmeasured(unmeasured);
  return [sets, attacked, unmeasured, &attack, wanted, reference = input.reference](
             const EngineResults& engines, const EngineResults*) {
    Json results = Json::object();
    for (const MetricSet& set : *sets) set.Compute(engines, nullptr, nullptr, results);
    results.update(unmeasured);
    if (!attacked->empty()) {
      Json none;
      const QuestionSet forget = attacked->front().Compute(engines, nullptr, nullptr, none),
                        holdout = attacked->back().Compute(engines, nullptr, nullptr, none);
      results["mia_min_k"] = AttackResult(attack, forget, holdout);
    }
    if (wanted("privleak") && results.contains("mia_min_k")) {
      results["privleak"] = PrivLeakResult(results["mia_min_k"], reference);
    }
    return results;
  };
}

}  // namespace

extern const Suite kMuseSuite;
const Suite kMuseSuite = {.name = "muse",
                          .summary = "news or books: verbatim and knowledge memorization, privacy",
                          .plan = PlanMuse,
                          .fixes_columns = true};

}  // namespace grin
