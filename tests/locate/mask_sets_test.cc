#include "grin/locate/mask_sets.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "grin/base/random.h"
#include "grin/base/table.h"
#include "grin/model/parallel.h"
#include "tests/model/tiny.h"

namespace grin {
namespace {

using ::testing::HasSubstr;

// Of a vector: the entries at these positions.
MaskTensor Chosen(const std::string& name, int64_t size, const std::vector<int64_t>& positions) {
  MaskTensor tensor{name, {size}, std::vector<uint8_t>((size + 7) / 8)};
  for (const int64_t i : positions) tensor.bits[i / 8] |= static_cast<uint8_t>(1 << (i % 8));
  return tensor;
}

std::vector<int64_t> Positions(const Mask& mask, const std::string& name) {
  const at::Tensor indices = mask.Indices(name);
  return {indices.const_data_ptr<int64_t>(), indices.const_data_ptr<int64_t>() + indices.numel()};
}

Mask Combined(const char* operation, const std::vector<Mask>& masks) {
  const std::vector<std::string> names = {"one", "two", "three"};
  return CombineMasks(FindRow("locate", "operation", MaskOperations(), operation), masks, names);
}

TEST(CombineMasks, ByHand) {
  const Mask one({Chosen("w", 10, {0, 3, 9}), Chosen("only", 4, {1})});
  const Mask two({Chosen("w", 10, {3, 4, 9})});
  const Mask three({Chosen("w", 10, {9, 2}), Chosen("last", 3, {0, 2})});
  const Mask all = Combined("union", {one, two, three});
  EXPECT_EQ(Positions(all, "w"), (std::vector<int64_t>{0, 2, 3, 4, 9}));
  EXPECT_EQ(Positions(all, "only"), (std::vector<int64_t>{1}));
  EXPECT_EQ(Positions(all, "last"), (std::vector<int64_t>{0, 2}));
  EXPECT_EQ(all.total(), 17);
  const Mask common = Combined("intersect", {one, two, three});
  EXPECT_EQ(Positions(common, "w"), (std::vector<int64_t>{9}));
  EXPECT_EQ(common.count(), 1);
  EXPECT_EQ(common.total(), 17);
  const Mask rest = Combined("subtract", {one, two, three});
  EXPECT_EQ(Positions(rest, "w"), (std::vector<int64_t>{0}));
  EXPECT_EQ(Positions(rest, "only"), (std::vector<int64_t>{1}));
  EXPECT_EQ(rest.count(), 2);
}

TEST(CombineMasks, RefusesMasksOfOtherModels) {
  const Mask one({Chosen("w", 10, {0})}), two({Chosen("w", 11, {0})});
  EXPECT_THAT(MessageOf([&] { Combined("union", {one, two}); }),
              HasSubstr("one has w as [10], two has it as [11]"));
  EXPECT_THAT(MessageOf([&] { OverlapOf(one, two, "one", "two"); }),
              HasSubstr("one has w as [10], two has it as [11]"));
}

// 4 and 6 of 12, 3 of them in both; by chance 4 x 6 / 12. In "w" 4 and 4 of 8, in "v" 0 and 2 of 4.
TEST(MaskOverlap, ByHand) {
  const Mask a({Chosen("w", 8, {0, 1, 2, 3}), Chosen("v", 4, {}), Chosen("mine", 2, {0})});
  const Mask b({Chosen("w", 8, {1, 2, 3, 4}), Chosen("v", 4, {0, 1}), Chosen("yours", 2, {0, 1})});
  const MaskOverlap overlap = OverlapOf(a, b, "a", "b");
  EXPECT_EQ(overlap.total.entries, 12);
  EXPECT_EQ(overlap.total.a, 4);
  EXPECT_EQ(overlap.total.b, 6);
  EXPECT_EQ(overlap.total.both, 3);
  EXPECT_DOUBLE_EQ(overlap.total.chance(), 2);
  // The hypergeometric variance: n K/N (N-K)/N (N-n)/(N-1) = 4 (1/2)(1/2) 8/11.
  EXPECT_NEAR(overlap.total.deviation(), std::sqrt(8.0 / 11), 1e-12);
  EXPECT_DOUBLE_EQ(overlap.total.jaccard(), 3.0 / 7);
  EXPECT_DOUBLE_EQ(overlap.chance_by_tensor, 4.0 * 4 / 8);
  EXPECT_EQ(overlap.a_elsewhere, 1);
  EXPECT_EQ(overlap.b_elsewhere, 2);
  ASSERT_EQ(overlap.tensors.size(), 2u);
  EXPECT_EQ(overlap.tensors[0].name, "v");
  EXPECT_EQ(overlap.tensors[0].counts.both, 0);
}

// Random masks overlap as chance says, within four deviations.
TEST(MaskOverlap, OfRandomMasksIsThatOfChance) {
  constexpr int64_t kEntries = 100000;
  const auto random = [&](uint64_t seed, int64_t count) {
    const auto drawn = DrawWithoutReplacement(RandomStream(seed, "masks"), kEntries, count);
    return Mask({Chosen("w", kEntries, drawn)});
  };
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const MaskOverlap overlap =
        OverlapOf(random(2 * seed, 5000), random(2 * seed + 1, 20000), "a", "b");
    EXPECT_NEAR(overlap.total.chance(), 1000, 1e-9);
    EXPECT_LT(std::abs(static_cast<double>(overlap.total.both) - 1000),
              4 * overlap.total.deviation());
  }
}

}  // namespace
}  // namespace grin
