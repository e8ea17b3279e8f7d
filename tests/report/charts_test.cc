#include "grin/report/charts.h"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>

#include "grin/base/random.h"
#include "grin/metric/kolmogorov_smirnov.h"
#include "tests/report/well_formed.h"

namespace grin {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

size_t CountOf(const Markup& markup, std::string_view what) {
  size_t count = 0;
  for (size_t at = 0; (at = markup.str().find(what, at)) != std::string::npos; ++at) ++count;
  return count;
}

// Draws with ties.
std::vector<double> Draw(const char* stream, uint64_t seed, size_t count) {
  std::vector<double> values;
  for (size_t i = 0; i < count; ++i) {
    values.push_back(std::round(RandomStream(seed, stream).Normal(i) * 8) / 8);
  }
  return values;
}

TEST(LargestGap, IsTheStatisticOfTheTest) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    const auto first = Draw("first", seed, 1 + seed % 30),
               second = Draw("second", seed, 1 + seed % 23);
    const Gap gap = LargestGap(first, second);
    EXPECT_NEAR(gap.distance(), KsTest(first, second).statistic, 1e-12);
    EXPECT_NEAR(gap.first,
                std::ranges::count_if(first, [&](double v) { return v <= gap.at; }) /
                    static_cast<double>(first.size()),
                gap.distance() > 0 ? 1e-12 : 1);
  }
}

TEST(EcdfChart, MarksTheGapAndSaysItInWords) {
  const Markup chart = EcdfChart("e", "ratio",
                                 {{"this run", "unlearned", {0.5, 1, 2, 4}},
                                  {"never saw it", "never", {0.5, 1, 2, 4}},
                                  {"before", "before", {0.1, 0.1, 0.2}}},
                                 "before");
  ExpectWellFormed(chart.str());
  EXPECT_THAT(chart.str(), AllOf(HasSubstr("D = 1.000"), HasSubstr("role=\"img\""),
                                 HasSubstr("aria-label=\"Distributions of the ratio\""),
                                 HasSubstr("this run: 4 examples, median 2.000")));
  EXPECT_EQ(CountOf(chart, "<polyline"), 3u);
}

TEST(EcdfChart, StandsExtremeValues) {
  const double inf = std::numeric_limits<double>::infinity();
  const Markup chart =
      EcdfChart("e", "ratio", {{"a", "unlearned", {1e-300, inf, 1}}, {"b", "never", {inf}}}, "b");
  ExpectWellFormed(chart.str());
  EXPECT_THAT(chart.str(), AllOf(Not(HasSubstr("nan")), Not(HasSubstr("inf,"))));
  ExpectWellFormed(EcdfChart("e", "ratio", {{"a", "unlearned", {inf}}}, "b").str());
}

TEST(ChangeChart, HasADotForEachExample) {
  const Markup chart = ChangeChart("c", "Probability", "forget",
                                   {{0.9, 0.1, "<q> \"1\""}, {0.8, 0.85, "2"}, {0.1, 0.9, "3"}});
  ExpectWellFormed(chart.str());
  EXPECT_EQ(CountOf(chart, "<circle"), 3u);
  EXPECT_THAT(chart.str(), AllOf(HasSubstr("data-tip=\"&lt;q&gt; &#34;1&#34;\""),
                                 HasSubstr("1 fell by more than 0.1, 1 rose by more than 0.1")));
}

Mask SmallMask() {
  return Mask({{"model.embed_tokens.weight", {4, 2}, {0b00000011}},
               {"model.layers.0.mlp.up_proj.weight", {2, 4}, {0b11110000}},
               {"model.layers.1.mlp.up_proj.weight", {2, 4}, {0}},
               {"model.layers.1.self_attn.q_proj.weight", {3, 1}, {0b00000100}},
               {"transformer.h.10.attn.bias", {1}, {1}}});
}

TEST(Density, IsByModuleAndLayer) {
  const DensityGrid grid = DensityOf(SmallMask());
  EXPECT_THAT(grid.modules, ElementsAre("attn.bias", "mlp.up_proj", "self_attn.q_proj"));
  EXPECT_THAT(grid.layers, ElementsAre(0, 1, 10));
  EXPECT_EQ((grid.cells.at({1, 0}).share()), 0.5);
  EXPECT_EQ((grid.cells.at({1, 1}).share()), 0);
  EXPECT_EQ((grid.cells.at({2, 1}).selected), 1);
  EXPECT_FALSE(grid.cells.contains({2, 0}));
  EXPECT_EQ(grid.elsewhere.at("model.embed_tokens.weight").selected, 2);
  EXPECT_EQ(grid.all.selected, 8);
  EXPECT_EQ(grid.all.total, 28);
}

TEST(DensityChart, HasACellForEachWeight) {
  const Markup chart = DensityChart("d", DensityOf(SmallMask()));
  ExpectWellFormed(chart.str());
  EXPECT_EQ(CountOf(chart, "data-tip="), 4u);
  EXPECT_THAT(chart.str(), HasSubstr("mlp.up_proj, layer 0: 4 of 8 (50.0 %)"));
}

TEST(CurveChart, DrawsLinesAndTheKeptStep) {
  const Markup chart = CurveChart(
      "l", {{.name = "loss", .css_class = "forget", .points = {{1, 3.0}, {2, 2.5}, {3, 1}}}},
      {.y_label = "loss", .kept_step = 2});
  ExpectWellFormed(chart.str());
  EXPECT_THAT(chart.str(), AllOf(HasSubstr("kept: step 2"),
                                 HasSubstr("loss: 3.000 at step 1, 1.000 at step 3.")));
  // One step only.
  ExpectWellFormed(
      CurveChart("l", {{.name = "a", .css_class = "b", .points = {{1, 1}}}}, {}).str());
}

TEST(TradeOffChart, NamesEveryPoint) {
  const Markup chart =
      TradeOffChart("t",
                    {{0.5, 1e-30, "a<b", "unlearned"},
                     {0.55, 0.4, "second", "unlearned"},
                     {0.6, 1, "never", "never"}},
                    {.kept_label = "kept", .forgotten_label = "p", .log_forgotten = true});
  ExpectWellFormed(chart.str());
  EXPECT_EQ(CountOf(chart, "<circle"), 3u);
  EXPECT_THAT(chart.str(), AllOf(HasSubstr(">a&lt;b</text>"), HasSubstr("p 1.0e-30")));
}

}  // namespace
}  // namespace grin
