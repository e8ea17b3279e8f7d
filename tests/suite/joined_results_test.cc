#include "grin/suite/joined_results.h"

#include <gmock/gmock.h>

#include "grin/suite/results.h"

namespace grin {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// Results of these metrics, of the model of that fingerprint; none where it is empty.
Json Results(const std::string& file, const std::string& print,
             const std::vector<std::string>& metrics) {
  Json results = {{"grin", {{"file", file}, {"model", "out"}}}};
  if (!print.empty()) results["grin"]["model_fingerprint"] = print;
  for (const std::string& metric : metrics) results[metric] = {{"agg_value", 0.5}};
  return results;
}

TEST(GroupByModel, ResultsOfOneModelAreOneRun) {
  EXPECT_THAT(GroupByModel({Results("a", "1", {"wmdp_bio", "wmdp_cyber"}),
                            Results("b", "2", {"wmdp_bio"}), Results("c", "1", {"mmlu"}),
                            Results("d", "2", {"mmlu"}), Results("e", "3", {"mmlu"})}),
              ElementsAre(ElementsAre(0, 2), ElementsAre(1, 3), ElementsAre(4)));
}

TEST(GroupByModel, APathIsNoProof) {
  EXPECT_FALSE(AreOfOneModel(Results("a", "", {}), Results("b", "", {})));
  EXPECT_THAT(GroupByModel({Results("a", "", {"wmdp_bio"}), Results("b", "", {"mmlu"})}),
              ElementsAre(ElementsAre(0), ElementsAre(1)));
  // Nor is what is no string, and a run that was not evaluated is no part of another.
  Json number = Results("c", "", {"mmlu"});
  number["grin"]["model_fingerprint"] = 1;
  EXPECT_THAT(GroupByModel({number, number, nullptr, nullptr}),
              ElementsAre(ElementsAre(0), ElementsAre(1), ElementsAre(2), ElementsAre(3)));
}

TEST(GroupByModel, WhereAMetricIsInTwoNothingOfThatModelIsJoined) {
  // Which MMLU belongs to the WMDP is not certain, in whatever order they come.
  const Json wmdp = Results("a", "1", {"wmdp_bio"}), mmlu = Results("b", "1", {"mmlu"}),
             again = Results("c", "1", {"mmlu"});
  EXPECT_EQ(SharedMetric({&wmdp, &mmlu, &again}), "mmlu");
  EXPECT_EQ(SharedMetric({&wmdp, &mmlu}), "");
  EXPECT_EQ(GroupByModel({wmdp, mmlu, again}).size(), 3u);
  EXPECT_EQ(GroupByModel({mmlu, again, wmdp}).size(), 3u);
  // Other models' are joined nevertheless.
  EXPECT_THAT(GroupByModel({mmlu, again, Results("d", "2", {"mmlu"}), Results("e", "2", {"x"})}),
              ElementsAre(ElementsAre(0), ElementsAre(1), ElementsAre(2, 3)));
}

TEST(JoinResults, HoldsEveryMetricAndNamesEveryFile) {
  const Json wmdp = Results("d/a.json", "1", {"wmdp_bio"}),
             mmlu = Results("d/b.json", "1", {"mmlu"}), other = Results("d/c.json", "1", {"x"});
  const Json joined = JoinResults({&wmdp, &mmlu, &other});
  EXPECT_THAT(MetricNames(joined), ElementsAre("wmdp_bio", "mmlu", "x"));
  EXPECT_EQ(AggregateOf(joined, "mmlu"), 0.5);
  const std::vector<const Json*> sources = SourcesOf(joined);
  ASSERT_EQ(sources.size(), 3u);
  EXPECT_EQ(sources[0]->at("file"), "d/a.json");
  EXPECT_EQ(sources[2]->at("file"), "d/c.json");
  EXPECT_EQ(WhyNotMeasured(joined, "y"), "d/a.json, d/b.json, d/c.json has no y");
  EXPECT_EQ(JoinResults({&wmdp}), wmdp);
  EXPECT_THAT(SourcesOf({{"x", {{"agg_value", 1}}}}), IsEmpty());
}

}  // namespace
}  // namespace grin
