#include "grin/report/markup.h"

#include <gmock/gmock.h>

#include "grin/base/random.h"
#include "grin/report/figures.h"
#include "grin/report/scale.h"
#include "tests/report/well_formed.h"

namespace grin {
namespace {

using testing::DoubleNear;
using testing::ElementsAre;
using testing::Pointwise;

TEST(Markup, TextAndAttributesAreEscaped) {
  EXPECT_EQ(Text("</script><img src=x onerror='a' title=\"&\">").str(),
            "&lt;/script&gt;&lt;img src=x onerror=&#39;a&#39; title=&#34;&amp;&#34;&gt;");
  EXPECT_EQ(Tag("p", {{"class", "\" onclick=\"x"}}, Text("a")).str(),
            "<p class=\"&#34; onclick=&#34;x\">a</p>");
  EXPECT_EQ(Tag("br").str(), "<br />");
  EXPECT_EQ(TextTag("p", {}, "").str(), "<p></p>");
}

TEST(Markup, WhatNoPageMayHoldIsReplaced) {
  EXPECT_EQ(Text(std::string_view("a\0b\x01\x7f\r\n\t", 8)).str(),
            "a\xEF\xBF\xBD"
            "b\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\n\t");
  EXPECT_EQ(Text("x\xC3(\xFFé").str(), "x\xEF\xBF\xBD(\xEF\xBF\xBDé");
}

TEST(Markup, AnyBytesGiveWellFormedMarkup) {
  const RandomStream random(1, "bytes");
  for (uint64_t round = 0; round < 300; ++round) {
    std::string bytes;
    for (uint64_t i = 0; i < 40; ++i) {
      const uint64_t draw = random.Below(round * 40 + i, 300);
      constexpr std::string_view kSpecial = "<>&\"'/=-!]";
      bytes += draw < 256 ? static_cast<char>(draw) : kSpecial[draw % kSpecial.size()];
    }
    ExpectWellFormed(Tag("p", {{"title", bytes}}, Text(bytes)).str());
  }
}

TEST(Figures, AreShortAndHideNothing) {
  EXPECT_EQ(FormatFigure(0.0), "0.000");
  EXPECT_EQ(FormatFigure(0.96651), "0.967");
  EXPECT_EQ(FormatFigure(4.3e-25), "4.3e-25");
  EXPECT_EQ(FormatFigure(0.0004), "4.0e-04");
  EXPECT_EQ(FormatFigure(-12.34), "-12.3");
  EXPECT_EQ(FormatFigure(123456.0), "123,456");
  EXPECT_EQ(FormatFigure(std::optional<double>()), "–");
  EXPECT_EQ(FormatCount(-1234567), "-1,234,567");
  EXPECT_EQ(FormatCount(12), "12");
  EXPECT_EQ(FormatPercent(0.0395), "3.95 %");
  EXPECT_EQ(FormatPercent(0.5), "50.0 %");
  EXPECT_EQ(FormatTick(0.2), "0.2");
  EXPECT_EQ(FormatTick(1e-4), "1e-4");
  EXPECT_EQ(FormatTick(1e-20), "1e-20");
  EXPECT_EQ(FormatTick(20000), "2e4");
}

TEST(Scale, PutsValuesInPlaceAndOutliersOnTheEdge) {
  const Scale linear = Scale::Linear(0, 10, 100, 200);
  EXPECT_EQ(linear(5), 150);
  EXPECT_EQ(linear(-3), 100);
  EXPECT_EQ(linear(30), 200);
  EXPECT_EQ(linear(std::nan("")), 100);
  const Scale log = Scale::Log(0.01, 100, 400, 0);
  EXPECT_NEAR(log(1), 200, 1e-9);
  EXPECT_EQ(log(0), 400);
}

TEST(Scale, TicksAreRoundAndInside) {
  EXPECT_THAT(Scale::Linear(0, 1, 0, 1).Ticks(5),
              Pointwise(DoubleNear(1e-12), std::vector<double>{0, 0.2, 0.4, 0.6, 0.8, 1.0}));
  EXPECT_THAT(Scale::Linear(-0.3, 14.2, 0, 1).Ticks(5), ElementsAre(0, 5, 10));
  EXPECT_THAT(Scale::Log(1e-3, 1e3, 0, 1).Ticks(6),
              Pointwise(DoubleNear(1e-9), std::vector<double>{1e-3, 1e-2, 0.1, 1, 10, 100, 1000}));
  EXPECT_THAT(Scale::Log(0.4, 3, 0, 1).Ticks(6),
              Pointwise(DoubleNear(1e-12), std::vector<double>{0.5, 1, 2}));
  // A domain of one value is widened; no endless loop on tiny or huge ones.
  for (const double value : {0.0, 1e-12, 3.5, -2e9}) {
    const std::vector<double> ticks = Scale::Linear(value, value, 0, 1).Ticks(5);
    EXPECT_GE(ticks.size(), 2u) << value;
    EXPECT_LE(ticks.size(), 12u) << value;
  }
}

}  // namespace
}  // namespace grin
