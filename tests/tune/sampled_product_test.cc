// The sampled product equals the dense one: its entries, what it adds up to, and what training
// with it leaves alone.

#include "grin/tune/sampled_product.h"

#include <ATen/Parallel.h>
#include <gmock/gmock.h>
#include <torch/csrc/autograd/autograd.h>

#include "grin/data/packing.h"
#include "grin/locate/top_k.h"
#include "grin/tune/gather_sink.h"
#include "grin/tune/optimiser.h"
#include "tests/data/toy_checkpoint.h"
#include "tests/locate/influence_golden.h"
#include "tests/tune/one_weight.h"

namespace grin {
namespace {

// A parameter of these entries of a weight [out, in], with a gradient of zeros.
MaskedParameter ParameterOf(int64_t out, int64_t in, const at::Tensor& positions) {
  return ArenaOf(at::zeros({out, in}), positions, positions.scalar_type()).parameters[0];
}

at::Tensor RandomPositions(int64_t out, int64_t in, double density) {
  return at::rand({out * in}).lt(density).nonzero().flatten();
}

// The largest difference from the product in double, as a share of the sum of magnitudes there:
// what the order of an fp32 sum may cost.
double Error(const at::Tensor& grad_output, const at::Tensor& input,
             const MaskedParameter& parameter) {
  const at::Tensor g = grad_output.to(at::kDouble), x = input.to(at::kDouble);
  const auto selected = [&](const at::Tensor& dense) {
    return dense.flatten().index_select(0, parameter.indices.to(at::kLong));
  };
  const at::Tensor exact = selected(at::mm(g.t(), x));
  const at::Tensor scale = selected(at::mm(g.abs().t(), x.abs())).clamp_min(1e-30);
  if (exact.numel() == 0) return 0;
  return parameter.gradient.sub(exact).abs().div(scale).max().item<double>();
}

TEST(SampledProduct, EqualsTheDenseProduct) {
  at::manual_seed(3);
  struct Shape {
    int64_t tokens, out, in;
  };
  for (const Shape& shape : {Shape{1, 1, 1}, Shape{5, 3, 7}, Shape{31, 40, 24}, Shape{33, 17, 130},
                             Shape{64, 96, 32}, Shape{700, 50, 60}, Shape{1100, 20, 1500}}) {
    for (const double density : {0.0, 0.01, 0.3, 1.0}) {
      for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
        for (const at::ScalarType index : {at::kInt, at::kLong}) {
          const at::Tensor positions = RandomPositions(shape.out, shape.in, density).to(index);
          MaskedParameter parameter = ParameterOf(shape.out, shape.in, positions);
          const at::Tensor g = at::randn({shape.tokens, shape.out}).to(type);
          const at::Tensor x = at::randn({shape.tokens, shape.in}).to(type);
          SampledProduct().Add(g, x, parameter);
          EXPECT_LT(Error(g, x, parameter), 2e-6)
              << shape.tokens << " x " << shape.out << " x " << shape.in << " at " << density
              << " in " << c10::toString(type);
        }
      }
    }
  }
}

TEST(SampledProduct, RowsAndColumnsWithoutEntries) {
  at::manual_seed(4);
  const at::Tensor positions = at::tensor({5, 6, 11 * 8 + 7}, at::kInt);  // rows 0 and 11 of 12
  MaskedParameter parameter = ParameterOf(12, 8, positions);
  const at::Tensor g = at::randn({40, 12}), x = at::randn({40, 8});
  SampledProduct().Add(g, x, parameter);
  EXPECT_LT(Error(g, x, parameter), 2e-6);
}

// Passes add up, matrices with a common input too, and a new input in the old one's place counts.
TEST(SampledProduct, AddsUp) {
  at::manual_seed(5);
  MaskedParameter q = ParameterOf(20, 30, RandomPositions(20, 30, 0.2));
  MaskedParameter k = ParameterOf(10, 30, RandomPositions(10, 30, 0.2));
  SampledProduct product;
  std::vector<at::Tensor> q_gradients, k_gradients, inputs;
  for (int pass = 0; pass < 3; ++pass) {
    const at::Tensor x = at::randn({45, 30});
    const at::Tensor gq = at::randn({45, 20}), gk = at::randn({45, 10});
    product.Add(gq, x, q);
    product.Add(gk, x, k);
    q_gradients.push_back(gq);
    k_gradients.push_back(gk);
    inputs.push_back(x.clone());
  }
  EXPECT_LT(Error(at::cat(q_gradients), at::cat(inputs), q), 2e-6);
  EXPECT_LT(Error(at::cat(k_gradients), at::cat(inputs), k), 2e-6);
}

TEST(SampledProduct, StridedFactors) {
  at::manual_seed(6);
  const at::Tensor g = at::randn({9, 50}).t(), x = at::randn({16, 50}).t();  // [50, 9], [50, 16]
  MaskedParameter parameter = ParameterOf(9, 16, RandomPositions(9, 16, 0.5));
  SampledProduct().Add(g, x, parameter);
  EXPECT_LT(Error(g, x, parameter), 2e-6);
}

TEST(SampledProduct, DoesNotDependOnTheThreads) {
  at::manual_seed(7);
  const at::Tensor positions = RandomPositions(300, 200, 0.1);
  const at::Tensor g = at::randn({600, 300}), x = at::randn({600, 200});
  const int threads = at::get_num_threads();
  std::vector<at::Tensor> gradients;
  for (const int n : {1, 2, 3}) {
    at::set_num_threads(n);
    MaskedParameter parameter = ParameterOf(300, 200, positions);
    SampledProduct().Add(g, x, parameter);
    gradients.push_back(parameter.gradient);
  }
  at::set_num_threads(threads);
  EXPECT_TRUE(at::equal(gradients[0], gradients[1]));
  EXPECT_TRUE(at::equal(gradients[0], gradients[2]));
}

// Two optimiser steps over a model, two passes each, with the products of one kind.
struct Trained {
  at::Tensor gradient, masters;               // of the last step; at the end
  std::map<std::string, at::Tensor> weights;  // at the end
};

Trained Train(const std::filesystem::path& path, at::ScalarType dtype, const Mask& mask,
              ProductKind kind) {
  const InfluenceGolden golden("llama_gqa_tied");
  const Model model = LoadModel(Checkpoint::Open(path), dtype);
  Trainable trainable(model, mask);
  GatherSink sink(trainable, kind);
  Trained trained;
  for (int step = 1; step <= 2; ++step) {
    trainable.arena().gradient.zero_();
    for (const auto* set : {&golden.forget, &golden.retain}) {
      const PackedBatch batch = Pack(Pointers(*set));
      const LabelScores scores = ScoreBatch(model, batch, &sink);
      torch::autograd::backward({scores.logp},
                                {at::linspace(-0.2, 0.1, scores.logp.numel())});  // uneven weights
    }
    AdamWStep(trainable.arena(), {.weight_decay = 0.1}, 1e-3, step);
    trained.gradient = trainable.arena().gradient.clone();
    trainable.WriteBack();
  }
  trained.masters = trainable.Snapshot();
  for (const auto& [name, tensor] : model.weights->tensors()) {
    trained.weights[name] = tensor.clone();
  }
  return trained;
}

TEST(SampledProduct, TrainsAsTheDenseProductDoes) {
  const auto path = TinyPath("llama_gqa_tied");
  const Model model = LoadModel(Checkpoint::Open(path), at::kFloat);
  at::manual_seed(8);
  std::vector<ScoreTensor> scores;
  for (const std::string& name : model.BlockMatrices()) {
    scores.push_back({name, at::rand(model.weights->tensors().at(name).sizes())});
  }
  const Mask mask = SelectTopK(scores, 400);
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    SCOPED_TRACE(c10::toString(dtype));
    const Trained dense = Train(path, dtype, mask, ProductKind::kDense);
    const Trained sampled = Train(path, dtype, mask, ProductKind::kSampled);
    // The dense product of bf16 factors is rounded to bf16, once per pass.
    const double tolerance = dtype == at::kFloat ? 1e-5 : 2e-2;
    const double scale = dense.gradient.norm().item<double>();
    ASSERT_GT(scale, 0);
    EXPECT_LT((dense.gradient - sampled.gradient).norm().item<double>(), tolerance * scale);
    const Model before = LoadModel(Checkpoint::Open(path), dtype);
    for (const auto& [name, start] : before.weights->tensors()) {
      at::Tensor frozen = at::ones({start.numel()}, at::kBool);
      if (mask.Find(name)) frozen.index_fill_(0, mask.Indices(name), false);
      const auto outside = [&](const at::Tensor& t) { return t.flatten().masked_select(frozen); };
      EXPECT_TRUE(at::equal(outside(start), outside(sampled.weights.at(name)))) << name;
      EXPECT_TRUE(at::equal(outside(start), outside(dense.weights.at(name)))) << name;
    }
    EXPECT_FALSE(at::equal(sampled.masters, Trainable(before, mask).Snapshot()));
  }
}

}  // namespace
}  // namespace grin
