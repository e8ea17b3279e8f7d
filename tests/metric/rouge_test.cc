// ROUGE against the `rouge-score` package, by tests/data/make_rouge_goldens.py.

#include "grin/metric/rouge.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <sstream>

#include "grin/base/atomic_file.h"
#include "grin/base/json.h"
#include "grin/base/random.h"
#include "grin/metric/porter.h"

namespace grin {
namespace {

using ::testing::ElementsAre;

Json Goldens() {
  return Json::parse(ReadFile(std::filesystem::path(GRIN_TEST_DATA) / "text" / "rouge.json"));
}

std::vector<double> Figures(const std::string& target, const std::string& prediction, bool stem) {
  std::vector<double> figures;
  for (const RougeScore& score :
       {RougeN(target, prediction, 1, stem), RougeN(target, prediction, 2, stem),
        RougeL(target, prediction, stem)}) {
    figures.insert(figures.end(), {score.precision, score.recall, score.f1});
  }
  return figures;
}

TEST(Rouge, EqualsThePackageToTheLastBit) {
  const Json goldens = Goldens();
  ASSERT_GT(goldens["pairs"].size(), 200u);
  for (const Json& pair : goldens["pairs"]) {
    const std::string target = pair[0], prediction = pair[1];
    EXPECT_EQ(Figures(target, prediction, false), pair[2].get<std::vector<double>>())
        << target << "\n---\n"
        << prediction;
    EXPECT_EQ(Figures(target, prediction, true), pair[3].get<std::vector<double>>())
        << target << "\n---\n"
        << prediction;
  }
}

TEST(PorterStem, EqualsThePackage) {
  std::istringstream lines(Goldens()["words"].get<std::string>());
  int count = 0;
  for (std::string word, stem; lines >> word >> stem; ++count) {
    EXPECT_EQ(PorterStem(word), stem) << word;
  }
  EXPECT_GT(count, 4000);
}

TEST(Rouge, WordsOfAnyBytes) {
  EXPECT_THAT(RougeWords("It's 5\u212a in \u0130stanbul \xff\xfe Caf\u00e9", false),
              ElementsAre("it", "s", "5k", "in", "i", "stanbul", "caf"));
  EXPECT_THAT(RougeWords("Ponies were running", true), ElementsAre("poni", "were", "run"));
}

// The table of the textbook, for sequences of any length over few words.
size_t CommonByTable(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  std::vector<std::vector<size_t>> table(a.size() + 1, std::vector<size_t>(b.size() + 1));
  for (size_t i = 1; i <= a.size(); ++i) {
    for (size_t j = 1; j <= b.size(); ++j) {
      table[i][j] = a[i - 1] == b[j - 1] ? table[i - 1][j - 1] + 1
                                         : std::max(table[i - 1][j], table[i][j - 1]);
    }
  }
  return table.back().back();
}

TEST(RougeL, IsTheLongestCommonSubsequence) {
  const RandomStream random(1, "rouge");
  uint64_t draw = 0;
  for (int trial = 0; trial < 300; ++trial) {
    std::vector<std::string> texts[2];
    const uint64_t vocabulary = 1 + random.Below(draw++, 9);
    for (auto& words : texts) {
      for (uint64_t length = 1 + random.Below(draw++, 200); length > 0; --length) {
        words.emplace_back(1, static_cast<char>('a' + random.Below(draw++, vocabulary)));
      }
    }
    const RougeScore score = RougeL(texts[0], texts[1]);
    const auto common = static_cast<double>(CommonByTable(texts[0], texts[1]));
    EXPECT_EQ(score.recall, common / static_cast<double>(texts[0].size()));
    EXPECT_EQ(score.precision, common / static_cast<double>(texts[1].size()));
  }
}

}  // namespace
}  // namespace grin
