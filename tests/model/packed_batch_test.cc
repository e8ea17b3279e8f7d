#include "grin/model/packed_batch.h"

#include <ATen/Parallel.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "grin/model/attention.h"
#include "tests/standin/test_device.h"

namespace grin {
namespace {

using ::testing::ElementsAre;

TEST(Segments, KnowTheirLengthsAndNeighboursOfEqualLength) {
  const Segments segments({0, 3, 6, 6, 8, 11}, TestDevice());
  EXPECT_EQ(segments.sequences(), 5);
  EXPECT_EQ(segments.rows(), 11);
  EXPECT_EQ(segments.longest, 3);
  EXPECT_TRUE(segments.bounds.cpu().equal(at::tensor({0, 3, 6, 6, 8, 11}, at::kInt)));
  EXPECT_TRUE(segments.Lengths().cpu().equal(
      at::tensor({3, 3, 3, 3, 3, 3, 2, 2, 3, 3, 3}, at::kLong)));
  ASSERT_EQ(segments.runs.size(), 3u);  // a sequence without rows takes part in none
  EXPECT_EQ(segments.runs[0].begin, 0);
  EXPECT_EQ(segments.runs[0].count, 2);
  EXPECT_EQ(segments.runs[1].begin, 6);
  EXPECT_EQ(segments.runs[2].begin, 8);
  EXPECT_EQ(segments.runs[2].length, 3);
  EXPECT_EQ(Segments().rows(), 0);
}

TEST(LabelledRows, GroupsLabelsByTheRowThatPredictsThem) {
  const std::vector<int64_t> predicted_by = {7, 2, 7, 4, 2}, tokens = {10, 11, 12, 13, 14};
  const LabelledRows labels(predicted_by, tokens, TestDevice());
  EXPECT_EQ(labels.size(), 5);
  EXPECT_TRUE(labels.rows.cpu().equal(at::tensor({2, 4, 7}, at::kLong)));
  EXPECT_TRUE(labels.tokens.cpu().equal(at::tensor({10, 11, 12, 13, 14}, at::kLong)));
  EXPECT_TRUE(labels.row_of.cpu().equal(at::tensor({2, 0, 2, 1, 0}, at::kLong)));
  EXPECT_TRUE(labels.order.cpu().equal(at::tensor({1, 4, 3, 0, 2}, at::kLong)));
  EXPECT_THAT(labels.first, ElementsAre(0, 2, 3, 5));
}

// Attention of a single head of a single sequence, query by query, in float64.
at::Tensor PlainAttention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                          const AttentionSpec& spec) {
  const int64_t length = q.size(0);
  std::vector<at::Tensor> rows;
  for (int64_t i = 0; i < length; ++i) {
    const int64_t first = spec.window ? std::max<int64_t>(0, i + 1 - *spec.window) : 0;
    at::Tensor scores = k.slice(0, first, i + 1).matmul(q[i]) * spec.scale;
    if (spec.softcap) scores = (scores / *spec.softcap).tanh() * *spec.softcap;
    rows.push_back(scores.softmax(0).matmul(v.slice(0, first, i + 1)));
  }
  return at::stack(rows);
}

// Query heads share key heads, sequences of unequal length lie end to end, layers differ in their
// windows, and each object serves them all.
TEST(PackedAttention, EqualsOneQueryAfterAnother) {
  at::manual_seed(1);
  const std::vector<int64_t> offsets = {0, 5, 10, 19, 21};
  for (const int64_t kv_heads : {1, 2, 6}) {
    PackedAttention attention(Segments(offsets, TestDevice()));
    for (const std::optional<double> softcap : {std::optional<double>(), {1.5}}) {
      for (const std::optional<int64_t> window : {std::optional<int64_t>(), {1}, {3}, {7}, {50}}) {
        const AttentionSpec spec{.scale = 0.4, .softcap = softcap, .window = window};
        const auto random = [](int64_t heads) {
          return at::randn({21, heads, 8}, at::kDouble).requires_grad_(true);
        };
        const at::Tensor q = random(6), k = random(kv_heads), v = random(kv_heads);
        std::vector<at::Tensor> sequences;
        for (size_t s = 0; s + 1 < offsets.size(); ++s) {
          std::vector<at::Tensor> heads;
          for (int64_t h = 0; h < 6; ++h) {
            const auto part = [&](const at::Tensor& x, int64_t head) {
              return x.slice(0, offsets[s], offsets[s + 1]).select(1, head);
            };
            const int64_t shared = h / (6 / kv_heads);
            heads.push_back(PlainAttention(part(q, h), part(k, shared), part(v, shared), spec));
          }
          sequences.push_back(at::cat(heads, 1));
        }
        const at::Tensor expected = at::cat(sequences), weights = at::randn({21, 48}, at::kDouble);
        (expected * weights).sum().backward();
        const auto copy = [](const at::Tensor& x) {
          return OnTestDevice(x.detach().to(at::kFloat)).requires_grad_(true);
        };
        const at::Tensor q2 = copy(q), k2 = copy(k), v2 = copy(v);
        const at::Tensor got = attention.Attend(0, spec, q2, k2, v2);
        (got * OnTestDevice(weights.to(at::kFloat))).sum().backward();
        const auto near = [](const at::Tensor& a, const at::Tensor& b) {
          return at::allclose(a.cpu().to(at::kDouble), b, 1e-4, 1e-5);
        };
        EXPECT_TRUE(near(got, expected));
        EXPECT_TRUE(near(q2.grad(), q.grad()));
        EXPECT_TRUE(near(k2.grad(), k.grad()));
        EXPECT_TRUE(near(v2.grad(), v.grad()));
      }
    }
  }
}

// What a sequence gets, and its gradients, are the same to the bit alone and among others of its
// length and of other lengths, and by any number of threads.
TEST(PackedAttention, OfASequenceDoesNotDependOnTheOthers) {
  at::manual_seed(2);
  const int threads = at::get_num_threads();
  const std::vector<int64_t> offsets = {0, 33, 66, 99, 100, 108, 241, 374};
  for (const int64_t kv_heads : {1, 3}) {
    for (const std::optional<double> softcap : {std::optional<double>(), {1.5}}) {
      for (const std::optional<int64_t> window : {std::optional<int64_t>(), {7}}) {
        for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
          SCOPED_TRACE(testing::Message() << kv_heads << " " << softcap.has_value() << " "
                                          << window.has_value() << " " << type);
          const AttentionSpec spec{.scale = 0.4, .softcap = softcap, .window = window};
          const auto random = [&](int64_t heads) { return at::randn({374, heads, 20}).to(type); };
          const at::Tensor q = random(3), k = random(kv_heads), v = random(kv_heads);
          const at::Tensor slope = at::randn({374, 60}).to(type);
          // The result, and the gradients of queries, keys and values.
          const auto attend = [&](const Segments& segments, int64_t begin) {
            std::vector<at::Tensor> inputs;
            for (const at::Tensor& x : {q, k, v}) {
              inputs.push_back(x.narrow(0, begin, segments.rows()).clone().requires_grad_(true));
            }
            const at::Tensor result =
                PackedAttention(segments).Attend(0, spec, inputs[0], inputs[1], inputs[2]);
            result.backward(slope.narrow(0, begin, segments.rows()));
            return std::vector{result.detach(), inputs[0].grad(), inputs[1].grad(),
                               inputs[2].grad()};
          };
          std::vector<at::Tensor> by_one_thread;
          for (const int count : {1, 2, 3}) {
            at::set_num_threads(count);
            const std::vector<at::Tensor> all = attend(Segments(offsets), 0);
            if (count == 1) by_one_thread = all;
            for (size_t i = 0; i < all.size(); ++i) {
              EXPECT_TRUE(all[i].equal(by_one_thread[i])) << count << " threads, tensor " << i;
            }
            for (size_t s = 0; s + 1 < offsets.size(); ++s) {
              const int64_t begin = offsets[s], length = offsets[s + 1] - begin;
              const std::vector<at::Tensor> alone = attend(Segments({0, length}), begin);
              for (size_t i = 0; i < all.size(); ++i) {
                EXPECT_TRUE(alone[i].equal(all[i].narrow(0, begin, length)))
                    << "sequence " << s << ", tensor " << i << ", " << count << " threads";
              }
            }
          }
        }
      }
    }
  }
  at::set_num_threads(threads);
}

}  // namespace
}  // namespace grin
