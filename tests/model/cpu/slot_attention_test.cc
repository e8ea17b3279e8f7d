#include "grin/model/cpu/slot_attention.h"

#include <gtest/gtest.h>

namespace grin {
namespace {

struct Case {
  int64_t heads, kv_heads, dim;
  std::optional<double> softcap;
  std::optional<int64_t> window;
};

// One slot by LibTorch's own operations in fp32: [1, heads * dim].
at::Tensor OneSlot(const at::Tensor& q, const at::Tensor& keys, const at::Tensor& values,
                   const AttentionSpec& spec) {
  const int64_t group = q.size(0) / keys.size(0);
  const auto wide = [&](const at::Tensor& t) {
    return t.to(at::kFloat).repeat_interleave(group, 0);
  };
  at::Tensor scores =
      at::matmul(q.to(at::kFloat).unsqueeze(1), wide(keys).transpose(1, 2)) * spec.scale;
  if (spec.softcap) scores = (scores / *spec.softcap).tanh() * *spec.softcap;
  return at::matmul(scores.softmax(-1), wide(values)).view({1, -1});
}

TEST(SlotAttention, EqualsThePlainOperations) {
  at::manual_seed(1);
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    for (const Case& c : {Case{4, 4, 16, {}, {}}, Case{6, 2, 48, {}, {}}, Case{9, 3, 64, {}, 5},
                          Case{4, 1, 20, 3.0, {}}, Case{2, 2, 7, {}, 1}, Case{8, 2, 128, 2.0, 9}}) {
      const AttentionSpec spec{.scale = 0.3, .softcap = c.softcap, .window = c.window};
      const std::vector<int64_t> lengths = {0, 1, 3, 4, 11, 19, 2};
      const int64_t slots = 9, capacity = 20, active = static_cast<int64_t>(lengths.size());
      const auto random = [&](at::IntArrayRef sizes) { return at::randn(sizes).to(type); };
      at::Tensor keys = random({slots, c.kv_heads, capacity, c.dim});
      at::Tensor values = random({slots, c.kv_heads, capacity, c.dim});
      const at::Tensor old_keys = keys.clone();
      const at::Tensor q = random({active, c.heads, c.dim});
      const at::Tensor k = random({active, c.kv_heads, c.dim});
      const at::Tensor v = random({active, c.kv_heads, c.dim});
      const at::Tensor mixed = SlotAttention(q, k, v, keys, values, lengths, spec);
      ASSERT_EQ(mixed.scalar_type(), type);
      for (int64_t b = 0; b < active; ++b) {
        EXPECT_TRUE(keys[b].select(1, lengths[b]).equal(k[b]));
        EXPECT_TRUE(values[b].select(1, lengths[b]).equal(v[b]));
        EXPECT_TRUE(keys[b].narrow(1, 0, lengths[b]).equal(old_keys[b].narrow(1, 0, lengths[b])));
        const int64_t seen = std::min(lengths[b] + 1, c.window.value_or(capacity));
        const int64_t first = lengths[b] + 1 - seen;
        const at::Tensor expected =
            OneSlot(q[b], keys[b].narrow(1, first, seen), values[b].narrow(1, first, seen), spec);
        const double tolerance = type == at::kFloat ? 1e-5 : 1e-2;
        EXPECT_TRUE(
            at::allclose(mixed.narrow(0, b, 1).to(at::kFloat), expected, tolerance, tolerance))
            << "heads " << c.heads << ", slot " << b;
      }
      EXPECT_TRUE(
          keys.narrow(0, active, slots - active).equal(old_keys.narrow(0, active, slots - active)));
    }
  }
}

}  // namespace
}  // namespace grin
