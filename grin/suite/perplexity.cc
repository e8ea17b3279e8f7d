#include "grin/suite/perplexity.h"

#include <algorithm>
#include <cmath>

#include "grin/base/atomic_file.h"
#include "grin/base/error.h"
#include "grin/data/windows.h"
#include "grin/metric/metric.h"
#include "grin/suite/suite_data.h"

namespace grin {
namespace {

namespace fs = std::filesystem;

bool IsTable(const fs::path& path) {
  const std::string name = path.filename().string();
  return std::ranges::any_of(std::initializer_list<const char*>{".json", ".jsonl", ".csv", ".tsv",
                                                                ".parquet", ".gz", ".zst"},
                             [&](const char* suffix) { return name.ends_with(suffix); });
}

std::string TextOf(const SuiteInput& input, const fs::path& path) {
  if (!IsTable(path)) {
    input.note_input(path, 1);
    return ReadFile(path);
  }
  std::string text;
  for (const Example& example : LoadSet(input, path)) {
    if (!text.empty()) text += "\n\n";
    text += example.prompt + example.response;
  }
  return text;
}

}  // namespace

AskedText::AskedText(EvalPlan& plan, const SuiteInput& input, const fs::path& path) {
  const std::vector<int32_t> tokens =
      input.encoder.tokenizer().EncodeBeginning(TextOf(input, path)).ids;
  if (tokens.size() < 2) BadInput("eval", "{}: has no text to predict", path.string());
  const int64_t context = input.encoder.max_length();
  const int64_t stride =
      input.options.stride > 0 ? input.options.stride : std::max<int64_t>(1, context / 2);
  std::vector<Sequence> windows = TextWindows(tokens, context, stride);
  Limit(input, windows);
  for (const Sequence& window : windows) asked_.push_back(plan.Score(window));
}

Json AskedText::Result(const EngineResults& engines) const {
  double nll = 0;
  int64_t tokens = 0, lost = 0;
  for (const size_t number : asked_) {
    const std::vector<float>& logps = engines.scores[number].logp;
    for (const float logp : logps) nll -= logp, ++tokens;
    lost += !std::ranges::all_of(logps, [](float logp) { return std::isfinite(logp); });
  }
  const double mean = nll / static_cast<double>(tokens), perplexity = std::exp(mean);
  Json result = {{"agg_value", Finite(perplexity)}, {"tokens", tokens}, {"windows", asked_.size()}};
  if (lost > 0) {
    result["not_measured"] =
        fmt::format("{} of {} windows have no finite log-probability", lost, asked_.size());
  } else if (!std::isfinite(perplexity)) {
    result["not_measured"] = fmt::format("exp of the mean loss, {:.4g}, is too large", mean);
  }
  return result;
}

}  // namespace grin
