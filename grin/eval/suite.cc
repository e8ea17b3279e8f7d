#include "grin/eval/suite.h"

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

std::span<const Suite> Suites() { return AllSuites(); }

const Suite& FindSuite(std::string_view name) {
  return FindRow("eval", "suite", AllSuites(), name);
}

std::string SuiteOptions::SuiteNames() { return NamesOf(AllSuites()); }

}  // namespace grin
