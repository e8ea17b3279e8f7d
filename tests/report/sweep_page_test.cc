// The page of a sweep and its curves.

#include "grin/report/sweep_page.h"

#include <gmock/gmock.h>

#include "grin/base/atomic_file.h"
#include "grin/base/random.h"
#include "grin/report/charts.h"
#include "tests/report/well_formed.h"

namespace grin {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

TEST(ParetoFront, HoldsWhatNothingBeats) {
  for (uint64_t seed = 0; seed < 100; ++seed) {
    std::vector<FrontPoint> points;
    const RandomStream random(seed, "front");
    for (uint64_t i = 0; i < 1 + seed % 12; ++i) {  // few values, so that some are equal
      points.push_back({static_cast<double>(random.Below(2 * i, 5)),
                        static_cast<double>(random.Below(2 * i + 1, 5)), ""});
    }
    for (const bool less : {true, false}) {
      const std::vector<size_t> front = ParetoFront(points, less);
      const auto beats = [&](const FrontPoint& a, const FrontPoint& b) {
        const double a_left = less ? a.forgotten : -a.forgotten,
                     b_left = less ? b.forgotten : -b.forgotten;
        return a.kept >= b.kept && a_left <= b_left && (a.kept > b.kept || a_left < b_left);
      };
      for (size_t i = 0; i < points.size(); ++i) {
        const bool beaten = std::ranges::any_of(
            points, [&](const FrontPoint& other) { return beats(other, points[i]); });
        const bool same_is_there = std::ranges::any_of(front, [&](size_t f) {
          return points[f].kept == points[i].kept && points[f].forgotten == points[i].forgotten;
        });
        EXPECT_EQ(same_is_there, !beaten) << seed << " " << i;
      }
      for (size_t k = 1; k < front.size(); ++k) {
        EXPECT_LT(points[front[k - 1]].kept, points[front[k]].kept);
      }
    }
  }
  EXPECT_THAT(ParetoFront({}, true), IsEmpty());
  EXPECT_THAT(ParetoFront({{1, 0.5, ""}, {0.5, 0.1, ""}, {0.4, 0.3, ""}}, true), ElementsAre(1, 0));
}

Json Spread(double mean) { return {{"mean", mean}, {"spread", 0.01}, {"n", 3}}; }

Json RowOfSweep(const std::string& method, double lr, double kept, double left, double after) {
  return {{"method", method},
          {"settings", {{"lr", lr}}},
          {"seeds", {0, 1, 2}},
          {"open", 0},
          {"hopeless", false},
          {"failures", Json::array()},
          {"best", Json::array()},
          {"reported", {{"utility", kept}, {"left", after}}},
          {"figures",
           {{"retain_keyword_accuracy", Spread(kept)},
            {"forget_keyword_accuracy", Spread(left)},
            {"came_back", Spread(after)}}}};
}

Json MadeUpTable() {
  Json table = {
      {"format", "grin-sweep-table-1"},
      {"seeds", {0, 1, 2}},
      {"choose",
       {{"utility", {"retain_keyword_accuracy"}}, {"floor", 0.97}, {"left", {"came_back"}}}},
      {"before",
       {{"retain_keyword_accuracy", Spread(1)}, {"forget_keyword_accuracy", Spread(0.99)}}},
      {"reference",
       {{"retain_keyword_accuracy", Spread(0.98)}, {"forget_keyword_accuracy", Spread(0.05)}}},
      {"notes", {"settings tried: 3 of <a> & co, 1 of b"}}};
  table["rows"] = {
      RowOfSweep("<a> & co", 1e-3, 0.98, 0.4, 0.7), RowOfSweep("<a> & co", 3e-3, 0.95, 0.2, 0.5),
      RowOfSweep("<a> & co", 1e-2, 0.90, 0.3, 0.6), RowOfSweep("b", 1e-3, 0.97, 0.1, 0.3)};
  table["rows"][3]["best"] = {"all", "method"};
  return table;
}

TEST(SweepPage, DrawsALineForEachMethodBeforeAndAfterAttacks) {
  const std::string page = RenderSweepPage("my <sweep>", MadeUpTable());
  const size_t begin = page.find("<body>"), end = page.find("<script nonce=");
  const std::string body = page.substr(begin, end - begin) + "</body>";
  ExpectWellFormed(body);
  EXPECT_THAT(body, HasSubstr("Best: b, lr 0.001"));
  EXPECT_THAT(body, HasSubstr("front-retain_keyword_accuracy-forget_keyword_accuracy"));
  EXPECT_THAT(body, HasSubstr("front-retain_keyword_accuracy-came_back"));
  EXPECT_THAT(body, Not(HasSubstr("front-retain_keyword_accuracy-relearn")));  // not measured
  const auto count = [&](const std::string& what) {
    size_t found = 0;
    for (size_t at = 0; (at = body.find(what, at)) != std::string::npos; ++at) ++found;
    return found;
  };
  EXPECT_EQ(count("class=\"line series-0\" points="), 2u);
  EXPECT_EQ(count("class=\"line series-1\" points="), 2u);
  EXPECT_EQ(count("dot faint series-0"), 2u);  // beaten in both charts
  EXPECT_EQ(count("dot front series-0"), 4u);
  EXPECT_THAT(body, HasSubstr("best of all, best of its method"));
  EXPECT_THAT(body, HasSubstr("settings tried"));
}

TEST(SweepPage, KnowsATableAndTheFolderOfOne) {
  const auto dir = std::filesystem::path(testing::TempDir()) / "grin_sweep_page";
  std::filesystem::remove_all(dir);
  std::filesystem::create_directories(dir);
  EXPECT_FALSE(LoadSweepTable(dir));
  WriteFile(dir / "table.json", MadeUpTable().dump());
  WriteFile(dir / "other.json", "{\"forget_Q_A_Prob\": {\"agg_value\": 1}}");
  EXPECT_EQ(LoadSweepTable(dir), MadeUpTable());
  EXPECT_EQ(LoadSweepTable(dir / "table.json"), MadeUpTable());
  EXPECT_FALSE(LoadSweepTable(dir / "other.json"));
}

}  // namespace
}  // namespace grin
