#include "grin/data/shared_prefix.h"

#include <gmock/gmock.h>

#include <set>

#include "grin/data/packing.h"
#include "tests/model/tiny.h"

namespace grin {
namespace {

// Sequences of few kinds of tokens: many begin alike, some are the beginning of others or equal.
std::vector<Sequence> AlikeSequences(int64_t count, int64_t longest) {
  std::vector<Sequence> sequences;
  for (int64_t i = 0; i < count; ++i) {
    const auto length = at::randint(2, longest + 1, {1}).item<int64_t>();
    std::vector<int32_t> tokens;
    for (int64_t t = 0; t < length; ++t) tokens.push_back(at::randint(0, 2, {1}).item<int32_t>());
    sequences.push_back(LabelledSequence(tokens));
    if (i % 5 == 0) {
      sequences.back() = LabelledSequence(tokens, {static_cast<int32_t>(length) - 1});
      sequences.back().unread = 1;
    }
  }
  return sequences;
}

std::vector<int64_t> Values(const at::Tensor& tensor) {
  return {tensor.const_data_ptr<int64_t>(), tensor.const_data_ptr<int64_t>() + tensor.numel()};
}

TEST(PlanSharedPasses, UsesEverySequenceOnceWithinTheBudget) {
  at::manual_seed(1);
  for (const int64_t count : {0, 1, 2, 50, 200}) {
    for (const int64_t budget : {1, 10, 40, 100000}) {
      const auto sequences = AlikeSequences(count, 12);
      const auto pointers = Pointers(sequences);
      std::set<int64_t> seen;
      for (const auto& pass : PlanSharedPasses(pointers, budget)) {
        const PackedBatch batch = PackShared(pointers, pass);
        for (const int64_t i : pass) EXPECT_TRUE(seen.insert(i).second) << i;
        if (pass.size() > 1) {
          EXPECT_LE(batch.tokens.size(0), budget);
          EXPECT_LE(batch.segments.offsets.back(), 4 * budget);
        }
      }
      EXPECT_EQ(static_cast<int64_t>(seen.size()), count);
    }
  }
}

TEST(PlanSharedPasses, SavesWhatAnswersToOneQuestionShare) {
  // Three questions of 10 tokens with four answers of 3, in mixed order. Two answers begin with
  // the same token.
  std::vector<Sequence> sequences;
  for (int32_t answer = 0; answer < 4; ++answer) {
    for (int32_t question = 0; question < 3; ++question) {
      std::vector<int32_t> tokens(10, question);
      const bool alike = answer < 2;
      for (int32_t t = 0; t < 3; ++t) tokens.push_back(alike && t == 0 ? 10 : 11 + answer);
      sequences.push_back(LabelledSequence(tokens));
    }
  }
  const auto pointers = Pointers(sequences);
  const auto passes = PlanSharedPasses(pointers, 1000);
  ASSERT_EQ(passes.size(), 1u);
  EXPECT_EQ(PackShared(pointers, passes[0]).tokens.size(0), 3 * (10 + 4 * 3 - 1));
}

TEST(PackShared, HoldsEverySequenceAndItsLabels) {
  at::manual_seed(2);
  const auto sequences = AlikeSequences(60, 9);
  const auto pointers = Pointers(sequences);
  int64_t packed = 0, whole = 0;
  for (const auto& pass : PlanSharedPasses(pointers, 50)) {
    const PackedBatch batch = PackShared(pointers, pass);
    packed += batch.tokens.size(0);
    whole += batch.segments.offsets.back();
    const auto tokens = Values(batch.tokens), positions = Values(batch.positions);
    const auto expand = Values(batch.expand), collect = Values(batch.collect);
    // The sequences in full, each from its first token: as a multiset, for their order is free.
    std::multiset<std::vector<int64_t>> expected, found;
    for (const int64_t i : pass) {
      const Sequence& sequence = sequences[i];
      expected.insert({sequence.tokens.begin(), sequence.tokens.end() - sequence.unread});
    }
    for (int64_t s = 0; s < batch.segments.sequences(); ++s) {
      std::vector<int64_t> sequence;
      for (int64_t at = batch.segments.offsets[s]; at < batch.segments.offsets[s + 1]; ++at) {
        EXPECT_EQ(positions[expand[at]], at - batch.segments.offsets[s]);
        sequence.push_back(tokens[expand[at]]);
      }
      found.insert(sequence);
    }
    EXPECT_EQ(found, expected);
    for (size_t row = 0; row < tokens.size(); ++row) {
      EXPECT_EQ(expand[collect[row]], static_cast<int64_t>(row));
    }
    // Labels in the order of the members, each in the row of the token before it.
    const auto rows = Values(batch.labels.rows.index_select(0, batch.labels.row_of));
    const auto labels = Values(batch.labels.tokens);
    size_t s = 0;
    for (const int64_t i : pass) {
      const int64_t begin = batch.label_offsets[s], end = batch.label_offsets[++s];
      ASSERT_EQ(end - begin, static_cast<int64_t>(sequences[i].labels.size()));
      for (int64_t n = begin; n < end; ++n) {
        const int32_t label = sequences[i].labels[n - begin];
        EXPECT_EQ(labels[n], sequences[i].tokens[label]);
        EXPECT_EQ(positions[rows[n]], label - 1);
        EXPECT_EQ(tokens[rows[n]], sequences[i].tokens[label - 1]);
      }
    }
  }
  EXPECT_LT(packed, whole);
}

}  // namespace
}  // namespace grin
