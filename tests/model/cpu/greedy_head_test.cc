#include "grin/model/cpu/greedy_head.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "grin/model/cpu/softmax.h"
#include "tests/standin/test_device.h"

namespace grin {
namespace {

Head MakeHead(const at::Tensor& weight, const at::Tensor& bias = {}) {
  Head head;
  head.weight = {"head", OnTestDevice(weight)};
  if (bias.defined()) head.bias = {"bias", OnTestDevice(bias)};
  return head;
}

at::Tensor LogitsInDouble(const at::Tensor& hidden, const Head& head) {
  const at::Tensor weight = head.weight.value.cpu().to(at::kDouble);
  const at::Tensor logits = at::mm(hidden.to(at::kDouble), weight.t());
  return head.bias.defined() ? logits + head.bias.value.cpu() : logits;
}

at::Tensor Choose(GreedyHead& greedy, const at::Tensor& hidden) {
  return greedy(OnTestDevice(hidden));
}

at::Tensor Choose(const Head& head, const at::Tensor& hidden) {
  GreedyHead greedy(head);
  return Choose(greedy, hidden);
}

// Rows as models make them: a few places are far larger than the others.
at::Tensor WithLargePlaces(at::Tensor hidden) {
  hidden.narrow(1, hidden.size(1) / 2, 1).mul_(40);
  return hidden;
}

TEST(GreedyHead, EqualsTheArgmaxInDouble) {
  at::manual_seed(1);
  for (const int64_t vocabulary : {1, 31, 32, 33, 1003}) {
    for (const int64_t width : {1, 4, 37, 288}) {
      for (const bool has_bias : {false, true}) {
        const Head head = MakeHead(at::randn({vocabulary, width}),
                                   has_bias ? at::randn({vocabulary}) * 5 : at::Tensor());
        GreedyHead greedy(head);
        for (const int64_t rows : {1, 11, 12, 13, 50}) {
          SCOPED_TRACE(testing::Message() << vocabulary << " " << width << " " << rows);
          for (const at::Tensor& hidden :
               {at::randn({rows, width}), WithLargePlaces(at::randn({rows, width}))}) {
            EXPECT_TRUE(Choose(greedy, hidden).equal(LogitsInDouble(hidden, head).argmax(-1)));
          }
        }
      }
    }
  }
}

// Logits that differ by a part in a million: int8 cannot tell them apart.
TEST(GreedyHead, TellsNearlyEqualTokensApart) {
  at::manual_seed(2);
  const at::Tensor one = at::randn({1, 64}), hidden = at::randn({20, 64});
  for (const int64_t alike : {3, 25}) {
    at::Tensor weight = at::randn({2000, 64});
    weight.narrow(0, 100, alike).copy_(one * 3 + 1e-6 * at::randn({alike, 64}));
    const Head head = MakeHead(weight);
    EXPECT_TRUE(Choose(head, hidden).equal(LogitsInDouble(hidden, head).argmax(-1)));
  }
}

TEST(GreedyHead, TakesTheFirstOfEquals) {
  at::manual_seed(3);
  at::Tensor weight = at::randn({500, 16});
  weight.narrow(0, 250, 250).copy_(weight.narrow(0, 0, 250).clone());
  const at::Tensor best = Choose(MakeHead(weight), at::randn({40, 16}));
  EXPECT_LT(best.max().item<int64_t>(), 250);
}

TEST(GreedyHead, NumbersThatAreNotFinite) {
  at::manual_seed(4);
  const float infinity = std::numeric_limits<float>::infinity();
  const Head head = MakeHead(at::randn({90, 8}));
  for (const float odd : {std::nanf(""), infinity}) {
    at::Tensor hidden = at::randn({5, 8});
    hidden[3].fill_(odd);
    EXPECT_TRUE(Choose(head, hidden).equal(ArgmaxOfRows(LogitsBuffer(head)(OnTestDevice(hidden))).cpu())) << odd;
  }
  // Beyond what is screened, but numbers all the same: the other rows are none the worse.
  for (const float odd : {1e30f, 1e-30f, 0.0f}) {
    at::Tensor hidden = at::randn({5, 8});
    hidden[3].mul_(odd);
    EXPECT_TRUE(Choose(head, hidden).equal(LogitsInDouble(hidden, head).argmax(-1))) << odd;
  }
  at::Tensor weight = at::randn({90, 8});
  weight[7][2] = infinity;
  const at::Tensor hidden = at::randn({5, 8});
  const Head odd = MakeHead(weight);
  EXPECT_TRUE(Choose(odd, hidden).equal(ArgmaxOfRows(LogitsBuffer(odd)(OnTestDevice(hidden))).cpu()));
}

// In bf16, where logits rounded to bf16 would often be equal, alone and among others.
TEST(GreedyHead, IsExactInBFloat16) {
  at::manual_seed(5);
  const Head head =
      MakeHead(at::randn({700, 48}).to(at::kBFloat16), at::randn({700}).to(at::kBFloat16));
  const at::Tensor hidden = at::randn({130, 48}).to(at::kBFloat16);
  GreedyHead greedy(head);
  const at::Tensor best = Choose(greedy, hidden);
  EXPECT_TRUE(best.equal(LogitsInDouble(hidden, head).argmax(-1)));
  for (const int64_t row : {0, 77, 129}) {
    EXPECT_TRUE(Choose(greedy, hidden.narrow(0, row, 1)).equal(best.narrow(0, row, 1)));
  }
  // Rows that bf16 cannot tell apart but for one last bit of one number.
  at::Tensor weight = at::randn({1, 48}).to(at::kBFloat16).repeat({40, 1});
  const at::Tensor bits = weight.view(at::kShort);
  for (int64_t token = 0; token < 40; ++token) bits[token][token].add_(1);
  const Head close = MakeHead(weight);
  EXPECT_TRUE(Choose(close, hidden).equal(LogitsInDouble(hidden, close).argmax(-1)));
}

// A softcap keeps the order of logits, although it rounds many to the cap itself.
TEST(GreedyHead, LooksThroughASoftcap) {
  at::manual_seed(8);
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    Head capped = MakeHead((at::randn({70, 12}) * 30).to(type));
    capped.softcap = 2.0;
    const at::Tensor hidden = at::randn({6, 12}).to(type);
    EXPECT_TRUE(Choose(capped, hidden).equal(LogitsInDouble(hidden, capped).argmax(-1)));
  }
}

// The largest is always among the candidates, and they are few where logits are spread.
TEST(Int8Screen, KeepsTheLargestAndFewOthers) {
  at::manual_seed(6);
  const Head head = MakeHead(at::randn({5000, 256}));
  const std::optional<Int8Screen> screen = Int8Screen::Of(head);
  ASSERT_TRUE(screen);
  const at::Tensor hidden = at::randn({30, 256});
  const auto candidates = screen->Candidates(hidden);
  const at::Tensor best = LogitsInDouble(hidden, head).argmax(-1);
  size_t total = 0;
  for (int64_t row = 0; row < 30; ++row) {
    const auto& tokens = candidates[row];
    EXPECT_TRUE(std::ranges::count(tokens, best[row].item<int64_t>()) == 1);
    EXPECT_TRUE(std::ranges::is_sorted(tokens));
    total += tokens.size();
  }
  EXPECT_LT(total, 30 * 50);
}

}  // namespace
}  // namespace grin
