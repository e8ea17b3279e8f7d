// Products of activations and a weight: ours, and LibTorch's as it is, by rows, depth and columns,
// one thread. The shapes are those of stories15M, SmolLM2-135M and a Llama; "transposed" are
// weights that are stored [depth, columns], of the shapes of GPT-2.
//
//   cmake -B build -DGRIN_BENCHMARKS=ON && cmake --build build --target bench_dot_products
//   GRIN_INSTRUCTIONS=avx2 build/bench/bench_dot_products
//
// "flops" of the output are additions and multiplications a second of processor time.

#include <ATen/Parallel.h>
#include <benchmark/benchmark.h>

#include "grin/model/product.h"

namespace grin {
namespace {

template <typename Multiply>
void Measure(benchmark::State& state, at::ScalarType type, bool transposed, Multiply multiply) {
  at::set_num_threads(1);
  at::manual_seed(1);
  const int64_t rows = state.range(0), depth = state.range(1), columns = state.range(2);
  const at::Tensor a = at::randn({rows, depth}).to(type);
  at::Tensor weight = at::randn({columns, depth}).to(type).t();  // [depth, columns]
  if (transposed) weight = weight.contiguous();
  for (auto _ : state) benchmark::DoNotOptimize(multiply(a, weight));
  const auto work = static_cast<double>(2 * rows * depth * columns);
  state.counters["flops"] = benchmark::Counter(work, benchmark::Counter::kIsIterationInvariantRate,
                                               benchmark::Counter::kIs1000);
}

void Ours(benchmark::State& state, at::ScalarType type, bool transposed) {
  Measure(state, type, transposed,
          [](const at::Tensor& a, const at::Tensor& b) { return Product(a, b); });
}

void LibTorch(benchmark::State& state, at::ScalarType type, bool transposed) {
  Measure(state, type, transposed,
          [](const at::Tensor& a, const at::Tensor& b) { return at::mm(a, b); });
}

void Shapes(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"rows", "depth", "columns"})->MeasureProcessCPUTime();
  for (const int64_t rows : {1, 8, 64, 500}) benchmark->Args({rows, 288, 768});
  benchmark->Args({500, 576, 1536})->Args({500, 1536, 576})->Args({500, 288, 4096});
  benchmark->Args({1, 2048, 8192})->Args({300, 2048, 2048})->Args({300, 4096, 1024});
}

void ShapesOfGpt2(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"rows", "depth", "columns"})->MeasureProcessCPUTime();
  for (const int64_t rows : {1, 2, 4, 8, 16, 32, 64, 500}) {
    benchmark->Args({rows, 768, 3072})->Args({rows, 3072, 768});
  }
}

BENCHMARK_CAPTURE(Ours, bf16, at::kBFloat16, false)->Apply(Shapes);
BENCHMARK_CAPTURE(LibTorch, bf16, at::kBFloat16, false)->Apply(Shapes);
BENCHMARK_CAPTURE(Ours, fp32, at::kFloat, false)->Apply(Shapes);
BENCHMARK_CAPTURE(LibTorch, fp32, at::kFloat, false)->Apply(Shapes);
BENCHMARK_CAPTURE(Ours, transposed_bf16, at::kBFloat16, true)->Apply(ShapesOfGpt2);
BENCHMARK_CAPTURE(LibTorch, transposed_bf16, at::kBFloat16, true)->Apply(ShapesOfGpt2);
BENCHMARK_CAPTURE(Ours, transposed_fp32, at::kFloat, true)->Apply(ShapesOfGpt2);
BENCHMARK_CAPTURE(LibTorch, transposed_fp32, at::kFloat, true)->Apply(ShapesOfGpt2);

}  // namespace
}  // namespace grin
