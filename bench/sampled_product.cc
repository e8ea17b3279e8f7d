// Selected entries of a weight gradient: the dense product and a gather, against the sampled
// product, by density, type and tokens of a pass. Matrices of SmolLM2-135M (576 x 1536) and of a
// Llama of 7e9 weights (4096 x 11008, one of its 224).
//
//   cmake -B build -DGRIN_BENCHMARKS=ON && cmake --build build --target bench_sampled_product
//   build/bench/bench_sampled_product --benchmark_counters_tabular=true
//
// SampledProduct::Pays is to hold the density at which the two cross.

#include "grin/tune/sampled_product.h"

#include <ATen/Parallel.h>
#include <benchmark/benchmark.h>

#include "grin/locate/mask.h"
#include "grin/tune/arena.h"

namespace grin {
namespace {

struct Problem {
  at::Tensor grad_output, input;  // [T, out], [T, in]
  MaskedParameter parameter;
};

Problem MakeProblem(const benchmark::State& state, at::ScalarType type) {
  at::manual_seed(1);
  const int64_t tokens = state.range(0), out = state.range(1), in = state.range(2);
  const int64_t count = out * in * state.range(3) / 1000;
  const at::Tensor positions = std::get<1>(at::rand({out * in}).topk(count)).to(at::kInt);
  MaskedParameter parameter = Arena({{"weight", out * in, count}}).parameters[0];
  parameter.indices.copy_(std::get<0>(positions.sort()));
  return {at::randn({tokens, out}).to(type), at::randn({tokens, in}).to(type), parameter};
}

void Dense(benchmark::State& state, at::ScalarType type) {
  Problem problem = MakeProblem(state, type);
  for (auto _ : state) {
    GatherGradient(at::mm(problem.grad_output.t(), problem.input).contiguous(), 1.0,
                   problem.parameter);
  }
}

void Sampled(benchmark::State& state, at::ScalarType type) {
  Problem problem = MakeProblem(state, type);
  for (auto _ : state) {
    SampledProduct product;  // no use of an earlier transposition
    product.Add(problem.grad_output, problem.input, problem.parameter);
  }
}

void Sizes(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"tokens", "out", "in", "permille"})
      ->Unit(benchmark::kMillisecond)
      ->MeasureProcessCPUTime();
  for (const int64_t permille : {10, 50, 100, 200, 300, 400}) {
    benchmark->Args({512, 1536, 576, permille});
  }
  for (const int64_t permille : {10, 50, 100, 200}) benchmark->Args({512, 11008, 4096, permille});
  benchmark->Args({64, 1536, 576, 50})->Args({2048, 1536, 576, 50});
}

BENCHMARK_CAPTURE(Dense, bf16, at::kBFloat16)->Apply(Sizes);
BENCHMARK_CAPTURE(Sampled, bf16, at::kBFloat16)->Apply(Sizes);
BENCHMARK_CAPTURE(Dense, fp32, at::kFloat)->Apply(Sizes);
BENCHMARK_CAPTURE(Sampled, fp32, at::kFloat)->Apply(Sizes);

}  // namespace
}  // namespace grin
