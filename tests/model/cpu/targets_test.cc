// The same numbers on every set of instructions: what the kernels give on one agrees with what they
// give on another, on each pair that this machine has and GRIN_INSTRUCTIONS allows.

#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "grin/base/processor.h"
#include "grin/model/cpu/softmax.h"
#include "grin/model/head.h"

namespace grin {
namespace {

// Within 2e-6 of the number. The logarithm of a probability near 1 is as exact as the probability.
constexpr double kRelative = 2e-6, kOfProbability = 2e-7;

// While one exists, kernels run by the instructions of one of Highway's targets.
class TargetScope {
 public:
  explicit TargetScope(int64_t target) {
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().DeInit();
  }
  ~TargetScope() {
    hwy::SetSupportedTargetsForTest(0);
    hwy::GetChosenTarget().DeInit();
  }
  TargetScope(const TargetScope&) = delete;
  TargetScope& operator=(const TargetScope&) = delete;
};

// By InstructionsInUse: Highway itself, when it is asked, forgets what GRIN_INSTRUCTIONS has disabled.
std::vector<int64_t> Targets() {
  std::vector<int64_t> targets = {HWY_STATIC_TARGET};  // "plain"
#if HWY_ARCH_X86
  if (InstructionsInUse() >= Instructions::kAvx2) targets.push_back(HWY_AVX2);
  if (InstructionsInUse() >= Instructions::kAvx512) targets.push_back(HWY_AVX3);
#endif
  return targets;
}

// Calls scores() on every target and compares what it returns, fp32, with the first one's.
template <typename Scores>
void ExpectAgreement(const std::vector<int64_t>& targets, Scores scores) {
  at::Tensor first;
  for (const int64_t target : targets) {
    const TargetScope scope(target);
    const at::Tensor found = scores().to(at::kDouble);
    if (!first.defined()) first = found;
    const at::Tensor error = (found - first).abs();
    const at::Tensor bound = first.abs() * kRelative + kOfProbability;
    EXPECT_TRUE(error.le(bound).all().item<bool>())
        << InstructionsName(InstructionsInUse()) << ": off by up to "
        << (error / bound).max().item<double>() << " of the bound";
  }
}

class TargetsAgree : public testing::Test {
 protected:
  void SetUp() override {
    if (targets_.size() < 2) GTEST_SKIP() << "only one set of instructions here";
  }

  const std::vector<int64_t> targets_ = Targets();
};

// Else these tests would compare one target with itself.
TEST_F(TargetsAgree, AfterEachWasChosen) {
  std::vector<Instructions> chosen;
  for (const int64_t target : targets_) {
    const TargetScope scope(target);
    chosen.push_back(InstructionsInUse());
  }
  EXPECT_EQ(chosen[0], Instructions::kPlain);
  EXPECT_EQ(chosen[1], Instructions::kAvx2);
  EXPECT_TRUE(std::is_sorted(chosen.begin(), chosen.end()));
}

TEST_F(TargetsAgree, OnLogProbabilitiesOfLogits) {
  at::manual_seed(1);
  for (const int64_t vocabulary : {301, 32000, 152064}) {
    for (const double reach : {1.0, 12.0, 40.0}) {
      const at::Tensor logits = (at::rand({3, vocabulary}) * 2 - 1) * reach;
      logits[1][7] = 40;  // nearly certain, unless there are many as large
      ExpectAgreement(targets_, [&] {
        RunningSoftmax softmax({});
        softmax.Add(logits, 0);
        return (logits - softmax.LogNormaliser().unsqueeze(1)).to(at::kFloat);
      });
    }
  }
}

TEST_F(TargetsAgree, OnLogProbabilitiesOfHiddenRows) {
  at::manual_seed(2);
  constexpr int64_t kRows = 40;
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    for (const int64_t width : {64, 288, 1100}) {
      const double scale = 4.0 / std::sqrt(static_cast<double>(width));  // logits of some -16 to 16
      const Head head{
          .weight = {.name = "head", .value = (at::randn({9000, width}) * scale).to(type)}};
      const at::Tensor hidden = at::randn({kRows, width}).to(type);
      std::vector<int64_t> rows(kRows), tokens(kRows);
      for (int64_t row = 0; row < kRows; ++row) {
        rows[row] = row;
        tokens[row] = row * 211;
      }
      ExpectAgreement(targets_, [&] {
        return ScoreLabels(hidden, LabelledRows(rows, tokens), head, nullptr).logp;
      });
    }
  }
}

}  // namespace
}  // namespace grin
