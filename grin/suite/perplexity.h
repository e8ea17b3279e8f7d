#pragma once
// Perplexity of running text.

#include <filesystem>
#include <vector>

#include "grin/base/json.h"
#include "grin/suite/suite.h"

namespace grin {

class AskedText {
 public:
  // A table's records of text, joined by blank lines, or any other file as it is (UTF-8). It is
  // tokenised as one and cut into windows of the model's context, --stride apart.
  AskedText(EvalPlan& plan, const SuiteInput& input, const std::filesystem::path& path);

  // {"agg_value": exp of the mean NLL of all scored tokens, "tokens", "windows"}; not measured
  // where a token has no finite log-probability.
  Json Result(const EngineResults& engines) const;

 private:
  std::vector<size_t> asked_;
};

}  // namespace grin
