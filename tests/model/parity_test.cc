// The decoder against transformers: log-probabilities, gradients, greedy decoding, bf16.

#include <gmock/gmock.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <map>

#include "grin/model/cache.h"
#include "grin/model/device.h"
#include "grin/model/head.h"
#include "tests/model/every_gradient.h"
#include "tests/model/tiny.h"

namespace grin {
namespace {

// Sequences end to end. Written apart from the data room's Pack, which is above this room.
PackedBatch BatchOf(const std::vector<const Sequence*>& sequences) {
  PackedBatch batch;
  batch.label_offsets = {0};
  std::vector<int64_t> offsets = {0}, tokens, positions, rows, labels;
  for (const Sequence* sequence : sequences) {
    for (const int32_t label : sequence->labels) {
      rows.push_back(offsets.back() + label - 1);
      labels.push_back(sequence->tokens[label]);
    }
    for (const int32_t token : sequence->tokens) {
      positions.push_back(static_cast<int64_t>(tokens.size()) - offsets.back());
      tokens.push_back(token);
    }
    offsets.push_back(static_cast<int64_t>(tokens.size()));
    batch.label_offsets.push_back(static_cast<int64_t>(rows.size()));
  }
  batch.tokens = UploadIndices(tokens, TestDevice());
  batch.positions = UploadIndices(positions, TestDevice());
  batch.segments = Segments(offsets, TestDevice());
  batch.labels = LabelledRows(rows, labels, TestDevice());
  return batch;
}

PackedBatch BatchOf(const std::vector<Sequence>& sequences) {
  std::vector<const Sequence*> pointers;
  for (const Sequence& sequence : sequences) pointers.push_back(&sequence);
  return BatchOf(pointers);
}

PackedBatch BatchOf(const Sequence& sequence) { return BatchOf({&sequence}); }

class Parity : public ::testing::TestWithParam<const char*> {
 protected:
  const std::string name_ = GetParam();
  const Json golden_ = GoldenJson("model/" + name_ + "/golden.json");
  const std::vector<Sequence> sequences_ = SequencesOf(golden_["sequences"]);
};

INSTANTIATE_TEST_SUITE_P(Tiny, Parity, ::testing::ValuesIn(kTinyModels),
                         [](const auto& info) { return std::string(info.param); });

std::vector<float> LogProbabilities(const Json& golden) {
  std::vector<float> all;
  for (const Json& sequence : golden["sequences"]) {
    for (const Json& value : sequence["logprobs"]) all.push_back(value);
  }
  return all;
}

TEST_P(Parity, LogProbabilitiesAndArgmax) {
  const Model model = LoadTiny(name_);
  const PackedBatch batch = BatchOf(sequences_);
  const LabelScores scores = ScoreBatch(model, batch, nullptr, {.argmax = true});
  const at::Tensor expected = OnTestDevice(at::tensor(LogProbabilities(golden_)));
  ASSERT_EQ(scores.logp.sizes(), expected.sizes());
  EXPECT_LT((scores.logp - expected).abs().max().item<float>(), 2e-5);
  std::vector<int64_t> argmax;
  for (const Json& sequence : golden_["sequences"]) {
    for (const Json& token : sequence["argmax"]) argmax.push_back(token);
  }
  EXPECT_TRUE(at::equal(scores.argmax.cpu(), at::tensor(argmax)));
}

TEST_P(Parity, HeadChunksDoNotMatter) {
  const Model model = LoadTiny(name_);
  const PackedBatch batch = BatchOf(sequences_);
  const LabelScores whole = ScoreBatch(model, batch, nullptr, {.moments = true});
  const LabelScores parts = ScoreBatch(model, batch, nullptr, {.chunk_bytes = 1, .moments = true});
  EXPECT_TRUE(at::allclose(whole.logp, parts.logp, 0, 1e-5));
  EXPECT_TRUE(at::allclose(whole.mean, parts.mean, 0, 1e-4));
  EXPECT_TRUE(at::allclose(whole.variance, parts.variance, 1e-4, 1e-4));
}

TEST_P(Parity, GradientsOfEveryTensor) {
  const Model model = LoadTiny(name_);
  EveryGradient sink(*model.weights);
  const PackedBatch batch = BatchOf(sequences_);
  const LabelScores scores = ScoreBatch(model, batch, &sink);
  int64_t scored = 0;
  for (const Sequence& sequence : sequences_) scored += !sequence.labels.empty();
  std::vector<float> slope;
  double loss = 0;
  for (int64_t s = 0; s < batch.segments.sequences(); ++s) {
    const int64_t begin = batch.label_offsets[s], labels = batch.label_offsets[s + 1] - begin;
    if (labels == 0) continue;
    const double share = 1.0 / static_cast<double>(scored * labels);
    slope.insert(slope.end(), labels, static_cast<float>(-share));
    loss -= share * scores.logp.detach().narrow(0, begin, labels).sum().item<double>();
  }
  EXPECT_NEAR(loss, golden_["mean_nll"].get<double>(), 1e-5);
  torch::autograd::backward({scores.logp}, {OnTestDevice(at::tensor(slope))});

  EXPECT_EQ(sink.gradients.size(), golden_["gradients"].size());
  // Biases of keys that do not rotate have no influence: their gradient is rounding noise.
  double largest = 0;
  for (const auto& [name, expected] : golden_["gradients"].items()) {
    largest = std::max(largest, expected["norm"].get<double>());
  }
  const double noise = 1e-7 * largest;
  for (const auto& [name, expected] : golden_["gradients"].items()) {
    ASSERT_TRUE(sink.gradients.contains(name)) << name;
    const at::Tensor flat = sink.gradients[name].cpu().flatten().to(at::kDouble);
    const double norm = expected["norm"];
    EXPECT_NEAR(flat.norm().item<double>(), norm, 1e-4 * norm + noise) << name;
    const at::Tensor wave = at::arange(1, flat.numel() + 1, at::kDouble).sin();
    EXPECT_NEAR((flat * wave).sum().item<double>(), expected["dot"].get<double>(),
                1e-4 * norm + noise)
        << name;
    for (size_t i = 0; i < expected["indices"].size(); ++i) {
      const int64_t index = expected["indices"][i];
      const double value = expected["values"][i];
      EXPECT_NEAR(flat[index].item<double>(), value, 1e-4 * std::abs(value) + 1e-5 * norm + noise)
          << name << "[" << index << "]";
    }
  }
}

// Neither forward nor backward: the host lays out its batch, and hears of the device again when it reads
// what came out.
TEST_P(Parity, APassAsksTheDeviceForNothing) {
  if (!TestDevice().is_privateuseone()) GTEST_SKIP() << "only the stand-in device counts";
  const Model model = LoadTiny(name_);
  EveryGradient sink(*model.weights);
  const StandInCounts before = CountsOfStandIn();
  const LabelScores scores =
      ScoreBatch(model, BatchOf(sequences_), &sink, {.argmax = true, .moments = true});
  torch::autograd::backward({scores.logp}, {at::ones_like(scores.logp.detach())});
  const StandInCounts after = CountsOfStandIn();
  EXPECT_EQ(after.synchronisations(), before.synchronisations());
  EXPECT_GT(after.operators - before.operators, 100);
}

TEST_P(Parity, GreedyDecodingThroughTheCache) {
  const Model model = LoadTiny(name_);
  const auto prompt = golden_["generation"]["prompt"].get<std::vector<int64_t>>();
  const auto expected = golden_["generation"]["tokens"].get<std::vector<int64_t>>();
  const auto length = static_cast<int64_t>(prompt.size());
  KeyValueCache cache(model.config, 1, length + static_cast<int64_t>(expected.size()),
                      at::TensorOptions(at::kFloat).device(TestDevice()));
  const auto ids = [](const std::vector<int64_t>& values) {
    return UploadIndices(values, TestDevice());
  };
  const auto count_up = [](int64_t count) {
    return at::arange(count, at::TensorOptions(at::kLong).device(TestDevice()));
  };
  PrefillAttention prefill(cache, {0}, {0, length}, model.config);
  at::Tensor hidden = Forward(model, ids(prompt), count_up(length), prefill);
  std::vector<int64_t> tokens;
  for (size_t i = 0; i < expected.size(); ++i) {
    tokens.push_back(
        LogitsBuffer(model.head)(hidden.narrow(0, hidden.size(0) - 1, 1)).argmax().item<int64_t>());
    if (CacheIsStale(model, cache.length(0))) {
      std::vector<int64_t> all = prompt;
      all.insert(all.end(), tokens.begin(), tokens.end());
      const auto count = static_cast<int64_t>(all.size());
      cache.Clear(0);
      PrefillAttention again(cache, {0}, {0, count}, model.config);
      hidden = Forward(model, ids(all), count_up(count), again);
      continue;
    }
    StepAttention step(cache, 1, model.config);
    hidden = Forward(model, ids({tokens.back()}), ids({cache.length(0)}), step);
  }
  EXPECT_EQ(tokens, expected);
}

TEST_P(Parity, BFloat16IsAsNearAsTransformers) {
  const Model model = LoadTiny(name_, at::kBFloat16);
  const LabelScores scores = ScoreBatch(model, BatchOf(sequences_));
  const at::Tensor expected = OnTestDevice(at::tensor(LogProbabilities(golden_)));
  const double usual = golden_["bfloat16"]["mean_deviation"];
  const double deviation = (scores.logp - expected).abs().mean().item<double>();
  EXPECT_LT(deviation, 1.6 * usual);
  EXPECT_GT(deviation, 0.2 * usual) << "this was not computed in bfloat16";
}

TEST_P(Parity, PackingDoesNotMatter) {
  if (LeftOutOnDevice(name_)) GTEST_SKIP() << kLeftOutOnDevice;
  const Model model = LoadTiny(name_);
  at::manual_seed(4);
  std::vector<Sequence> sequences = sequences_;
  for (int i = 0; i < 20; ++i) {
    const int64_t length = at::randint(1, 30, {1}).item<int64_t>();
    const at::Tensor ids = at::randint(0, model.config.vocabulary, {length}, at::kInt);
    sequences.push_back(
        LabelledSequence({ids.const_data_ptr<int32_t>(), ids.const_data_ptr<int32_t>() + length}));
  }
  std::vector<at::Tensor> alone;
  for (const Sequence& sequence : sequences) {
    alone.push_back(ScoreBatch(model, BatchOf(sequence)).logp);
  }
  for (const int64_t size : {2, 5, 28}) {  // sequences of a batch, in a new order each time
    const at::Tensor order = at::randperm(static_cast<int64_t>(sequences.size()));
    for (int64_t first = 0; first < order.numel(); first += size) {
      const at::Tensor chosen = order.slice(0, first, first + size);
      std::vector<const Sequence*> pass;
      for (int64_t s = 0; s < chosen.numel(); ++s) {
        pass.push_back(&sequences[chosen[s].item<int64_t>()]);
      }
      const PackedBatch batch = BatchOf(pass);
      const at::Tensor logp = ScoreBatch(model, batch).logp;
      for (int64_t s = 0; s < chosen.numel(); ++s) {
        const at::Tensor packed = logp.slice(0, batch.label_offsets[s], batch.label_offsets[s + 1]);
        // The last bit of a logit of size 10 is 1e-6.
        EXPECT_TRUE(at::allclose(packed, alone[chosen[s].item<int64_t>()], 1e-6, 4e-6));
      }
    }
  }
}

// A token sees the window before it and nothing else: with one layer, what lies farther back has no
// influence at all, and what lies within it has.
TEST(SlidingWindow, EndsWhereItShould) {
  Model model = LoadTiny("mistral_window");
  model.config.layers = 1;
  model.blocks.resize(1);
  const int64_t window = model.config.layer[0].attention.window.value();
  std::vector<int32_t> tokens;
  for (int32_t i = 0; i < 20; ++i) tokens.push_back(3 + 5 * i);
  const auto last = [&](const std::vector<int32_t>& ids) {
    const Sequence sequence = LabelledSequence(ids, {19});
    return ScoreBatch(model, BatchOf(sequence)).logp.item<float>();
  };
  const float base = last(tokens);
  for (int32_t i = 0; i < 19; ++i) {  // row 18 predicts token 19
    std::vector<int32_t> changed = tokens;
    changed[i] = 1;
    if (18 - i < window) {
      EXPECT_NE(last(changed), base) << i;
    } else {
      EXPECT_EQ(last(changed), base) << i;
    }
  }
}

TEST(LearnedPositions, EndWithTheContext) {
  const Model model = LoadTiny("gpt2_body");
  const auto score = [&](int64_t length) {
    return MessageOf(
        [&] { ScoreBatch(model, BatchOf(LabelledSequence(std::vector<int32_t>(length, 7)))); });
  };
  EXPECT_EQ(score(48), "no error");
  EXPECT_THAT(score(49), ::testing::HasSubstr("49 tokens is longer than the 48 positions"));
}

TEST(Batch, OfOneTokenHasNoLabels) {
  const Model model = LoadTiny("llama_plain");
  const Sequence sequence = LabelledSequence({5});
  const LabelScores scores = ScoreBatch(model, BatchOf(sequence), nullptr, {.argmax = true});
  EXPECT_EQ(scores.logp.numel(), 0);
  EXPECT_EQ(scores.argmax.numel(), 0);
}

}  // namespace
}  // namespace grin
