#include "grin/tune/sampled_product.h"

#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <vector>

#include "grin/base/error.h"
#include "grin/model/cpu/dot_products.h"

namespace grin {
namespace {

// Tokens and columns of one block: what a block of columns takes stays in the second-level cache.
constexpr int64_t kBlockTokens = 512;
constexpr int64_t kBlockBytes = int64_t{1} << 20;

// to[c, t] = from[t, c], with `stride` entries per row of `to`; what lies beyond T is zero.
template <typename From>
void Transpose(const From* from, int64_t rows, int64_t columns, int64_t stride, float* to) {
  constexpr int64_t kTile = 32;
  at::parallel_for(0, (columns + kTile - 1) / kTile, 4, [&](int64_t first, int64_t last) {
    for (int64_t tile = first; tile < last; ++tile) {
      const int64_t c0 = tile * kTile, c1 = std::min(columns, c0 + kTile);
      for (int64_t t0 = 0; t0 < rows; t0 += kTile) {
        const int64_t t1 = std::min(rows, t0 + kTile);
        for (int64_t t = t0; t < t1; ++t) {
          for (int64_t c = c0; c < c1; ++c) {
            to[c * stride + t] = static_cast<float>(from[t * columns + c]);
          }
        }
      }
      for (int64_t c = c0; c < c1; ++c) {
        std::fill(to + c * stride + rows, to + (c + 1) * stride, 0.0f);
      }
    }
  });
}

// All entries, for factors whose rows hold `stride` tokens.
template <typename Index>
void AddEntries(const float* rows, const float* columns, int64_t stride, int64_t out, int64_t in,
                const Index* positions, int64_t count, float* gradient) {
  const int64_t block_columns = std::max<int64_t>(
      64, kBlockBytes / (std::min(stride, kBlockTokens) * int64_t{sizeof(float)}));
  at::parallel_for(0, out, 16, [&](int64_t first_row, int64_t last_row) {
    std::vector<int64_t> begins, next(last_row - first_row);
    for (int64_t row = first_row; row <= last_row; ++row) {
      begins.push_back(std::lower_bound(positions, positions + count, row * in) - positions);
    }
    std::vector<int32_t> selected(std::min(in, block_columns));
    for (int64_t token = 0; token < stride; token += kBlockTokens) {
      const int64_t length = std::min(kBlockTokens, stride - token);
      std::ranges::copy(begins.begin(), begins.end() - 1, next.begin());
      for (int64_t end = block_columns; end < in + block_columns; end += block_columns) {
        for (int64_t row = first_row; row < last_row; ++row) {
          const int64_t begin = next[row - first_row], stop = begins[row - first_row + 1];
          const int64_t limit = row * in + std::min(end, in);
          int64_t j = begin;
          for (; j < stop && positions[j] < limit; ++j) {
            selected[j - begin] = static_cast<int32_t>(positions[j] - row * in);
          }
          next[row - first_row] = j;
          AddSelectedDots(rows + row * stride + token, columns + token, stride, length,
                          selected.data(), j - begin, gradient + begin);
        }
      }
    }
  });
}

}  // namespace

bool SampledProduct::Pays(double density) { return density < 0.1; }

at::Tensor SampledProduct::Transposed(const at::Tensor& factor) const {
  const at::Tensor dense = factor.contiguous();
  const int64_t rows = dense.size(0), columns = dense.size(1);
  const int64_t stride = (rows + kDotPadding - 1) / kDotPadding * kDotPadding;
  const at::Tensor transposed = at::empty({columns, stride}, at::kFloat);
  AT_DISPATCH_FLOATING_TYPES_AND(at::kBFloat16, dense.scalar_type(), "SampledProduct", [&] {
    Transpose(dense.const_data_ptr<scalar_t>(), rows, columns, stride,
              transposed.mutable_data_ptr<float>());
  });
  return transposed;
}

void SampledProduct::Add(const at::Tensor& grad_output, const at::Tensor& input,
                         MaskedParameter& parameter) {
  const int64_t out = grad_output.size(1), in = input.size(1);
  const int64_t count = parameter.gradient.numel();
  if (!parameter.indices.defined() || grad_output.size(0) != input.size(0) ||
      grad_output.scalar_type() != input.scalar_type()) {
    Defect("tune", "'{}': a sampled product of [{}, {}] and [{}, {}] was asked for", parameter.name,
           grad_output.size(0), out, input.size(0), in);
  }
  if (count == 0 || input.size(0) == 0) return;
  const bool same = input_.defined() && input_.is_alias_of(input) &&
                    input_.const_data_ptr() == input.const_data_ptr() &&
                    input_.sizes() == input.sizes() && input_.strides() == input.strides();
  if (!same) {
    input_ = input;
    columns_ = Transposed(input);
  }
  const at::Tensor rows = Transposed(grad_output);
  const int64_t stride = rows.size(1);
  float* gradient = parameter.gradient.mutable_data_ptr<float>();
  AT_DISPATCH_INDEX_TYPES(parameter.indices.scalar_type(), "SampledProduct", [&] {
    const index_t* positions = parameter.indices.const_data_ptr<index_t>();
    AddEntries(rows.const_data_ptr<float>(), columns_.const_data_ptr<float>(), stride, out, in,
               positions, count, gradient);
  });
}

}  // namespace grin
