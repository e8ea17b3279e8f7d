#include "grin/suite/suite.h"

#include "grin/base/table.h"

namespace grin {

extern const Suite kTofuSuite, kWmdpSuite, kMmluSuite, kSafePkuSuite, kMuseSuite, kPerplexitySuite,
    kKeywordsSuite, kCustomSuite;

namespace {

const std::vector<Suite>& AllSuites() {
  static const std::vector<Suite> suites = {kTofuSuite,     kWmdpSuite,  kMmluSuite,
                                            kSafePkuSuite,  kMuseSuite,  kPerplexitySuite,
                                            kKeywordsSuite, kCustomSuite};
  return suites;
}

}  // namespace

const Suite& FindSuite(std::string_view name) {
  return FindRow("eval", "suite", AllSuites(), name);
}

SuiteOptions SettleOptions(const Suite& suite, SuiteOptions options, const std::string& columns) {
  if (suite.fixes_columns && !columns.empty()) {
    BadUsage("eval", "--columns: suite {} reads files of one form, whose columns have fixed names",
             suite.name);
  }
  if (suite.default_split.empty() && !options.split.empty()) {
    BadUsage("eval", "--split: suite {} has no splits", suite.name);
  }
  if (options.split.empty()) options.split = suite.default_split;
  return options;
}

std::string SuiteOptions::SuiteNames() { return NamesOf(AllSuites()); }

}  // namespace grin
