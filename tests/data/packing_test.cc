#include "grin/data/packing.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <set>

#include "tests/model/tiny.h"

namespace grin {
namespace {

std::vector<Sequence> RandomSequences(int64_t count, int64_t longest) {
  std::vector<Sequence> sequences;
  for (int64_t i = 0; i < count; ++i) {
    const auto length = at::randint(1, longest + 1, {1}).item<int64_t>();
    std::vector<int32_t> tokens;
    for (int64_t t = 0; t < length; ++t) tokens.push_back(static_cast<int32_t>(1000 * i + t));
    sequences.push_back(LabelledSequence(tokens));
  }
  return sequences;
}

TEST(PlanPasses, UsesEverySequenceOnceWithinTheBudget) {
  at::manual_seed(1);
  for (const int64_t count : {0, 1, 2, 50}) {
    for (const int64_t budget : {1, 10, 40, 100000}) {
      const auto sequences = RandomSequences(count, 30);
      const auto pointers = Pointers(sequences);
      std::set<int64_t> seen;
      for (const auto& pass : PlanPasses(pointers, budget)) {
        ASSERT_FALSE(pass.empty());
        int64_t tokens = 0;
        for (const int64_t i : pass) {
          tokens += sequences[i].length();
          EXPECT_TRUE(seen.insert(i).second) << i;
        }
        EXPECT_TRUE(tokens <= budget || pass.size() == 1) << tokens;
      }
      EXPECT_EQ(static_cast<int64_t>(seen.size()), count);
    }
  }
}

TEST(PlanPasses, PutsEqualLengthsTogether) {
  at::manual_seed(2);
  const auto sequences = RandomSequences(40, 6);
  int64_t previous = 7;
  for (const auto& pass : PlanPasses(Pointers(sequences), 50)) {
    for (const int64_t i : pass) {
      EXPECT_LE(sequences[i].length(), previous);
      previous = sequences[i].length();
    }
  }
}

TEST(Pack, RowsPredictTheirLabels) {
  at::manual_seed(3);
  auto sequences = RandomSequences(9, 12);
  for (Sequence& sequence : sequences) {
    if (sequence.labels.size() > 3) sequence.labels.erase(sequence.labels.begin());
    sequence.label_weights.assign(sequence.labels.size(), 0.5f);
  }
  const PackedBatch batch = Pack(Pointers(sequences));
  ASSERT_EQ(batch.segments.sequences(), 9);
  EXPECT_EQ(batch.tokens.size(0), batch.segments.offsets.back());
  EXPECT_EQ(batch.labels.size(), batch.label_offsets.back());
  EXPECT_EQ(batch.label_weights.sum().item<float>(), 0.5f * batch.labels.size());
  const at::Tensor rows = batch.labels.rows.index_select(0, batch.labels.row_of);
  for (int64_t s = 0; s < 9; ++s) {
    const int64_t begin = batch.segments.offsets[s];
    EXPECT_EQ(batch.segments.offsets[s + 1] - begin, sequences[s].length());
    for (int64_t t = 0; t < sequences[s].length(); ++t) {
      EXPECT_EQ(batch.tokens[begin + t].item<int64_t>(), sequences[s].tokens[t]);
      EXPECT_EQ(batch.positions[begin + t].item<int64_t>(), t);
    }
    for (int64_t n = batch.label_offsets[s]; n < batch.label_offsets[s + 1]; ++n) {
      const int64_t label = sequences[s].labels[n - batch.label_offsets[s]];
      EXPECT_EQ(rows[n].item<int64_t>(), begin + label - 1);
      EXPECT_EQ(batch.labels.tokens[n].item<int64_t>(), sequences[s].tokens[label]);
    }
  }
}

}  // namespace
}  // namespace grin
