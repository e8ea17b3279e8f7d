#include "grin/model/product.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>

#include "grin/model/cpu/dot_products.h"

namespace grin {
namespace {

bool IsFloatOrBFloat16(const at::Tensor& x) {
  return x.scalar_type() == at::kFloat || x.scalar_type() == at::kBFloat16;
}

// Whether the kernels of grin/model/cpu multiply these.
bool HasDotProducts(const at::Tensor& a, const at::Tensor& b) {
  return a.is_cpu() && b.is_cpu() && IsFloatOrBFloat16(a) && IsFloatOrBFloat16(b);
}

int64_t PieceLength(int64_t size, int64_t pieces, int64_t step) {
  const int64_t length = (size + pieces - 1) / pieces;
  return (length + step - 1) / step * step;
}

// By all threads: each takes pieces of rows and columns, which changes no bit of the result.
void MultiplyInPieces(const DotProducts& whole) {
  constexpr int64_t kSmall = int64_t{1}
                             << 16;  // multiplications that are not worth a second thread
  // Pieces are larger than a kernel's tile by far, and hold whole tiles of every set of
  // instructions.
  constexpr int64_t kLeastColumns = 64, kLeastRows = 48, kColumnStep = 4, kRowStep = 6;
  const int64_t threads = at::get_num_threads();
  if (threads == 1 || whole.rows * whole.columns * whole.depth < kSmall) return Multiply(whole);
  const int64_t wanted = 4 * threads;  // a few for each, since some end early
  const int64_t by_column = std::clamp<int64_t>(whole.columns / kLeastColumns, 1, wanted);
  const int64_t by_row =
      std::clamp<int64_t>(whole.rows / kLeastRows, 1, (wanted + by_column - 1) / by_column);
  const int64_t columns = PieceLength(whole.columns, by_column, kColumnStep);
  const int64_t rows = PieceLength(whole.rows, by_row, kRowStep);
  const int64_t element = whole.right.is_bfloat16 ? 2 : 4;
  at::parallel_for(0, by_column * by_row, 1, [&](int64_t begin, int64_t end) {
    for (int64_t piece = begin; piece < end; ++piece) {
      const int64_t column = piece / by_row * columns, row = piece % by_row * rows;
      if (column >= whole.columns || row >= whole.rows) continue;
      DotProducts part = whole;
      part.rows = std::min(rows, whole.rows - row);
      part.columns = std::min(columns, whole.columns - column);
      part.left += row * whole.left_stride;
      part.right.data =
          static_cast<const char*>(whole.right.data) + column * whole.right.column_stride * element;
      part.out += row * whole.out_stride + column;
      Multiply(part);
    }
  });
}

// Matrices, or stacks of them, as the kernels of grin/model/cpu take their factors: the left one in
// fp32 with contiguous rows, the right one contiguous in one of its two dimensions.
at::Tensor AsLeftFactor(const at::Tensor& a) {
  const at::Tensor wide = a.to(at::kFloat);
  return wide.stride(-1) == 1 ? wide : wide.contiguous();
}

at::Tensor AsRightFactor(const at::Tensor& b) {
  return b.stride(-1) == 1 || b.stride(-2) == 1 ? b : b.contiguous();
}

// out = left times right, of the first pair of matrices where they are stacks.
DotProducts AsProducts(at::Tensor& out, const at::Tensor& left, const at::Tensor& right, bool add) {
  return {.left = left.const_data_ptr<float>(),
          .left_stride = left.stride(-2),
          .right = {.data = right.const_data_ptr(),
                    .is_bfloat16 = right.scalar_type() == at::kBFloat16,
                    .column_stride = right.stride(-1),
                    .depth_stride = right.stride(-2)},
          .rows = left.size(-2),
          .columns = right.size(-1),
          .depth = left.size(-1),
          .out = out.mutable_data_ptr<float>(),
          .out_stride = out.stride(-2),
          .add = add};
}

// out [M, N] fp32 = a [M, K] times b [K, N]; with `add`, added to what is there. Rows of `out` are
// contiguous.
void MultiplyInto(at::Tensor& out, const at::Tensor& a, const at::Tensor& b, bool add) {
  MultiplyInPieces(AsProducts(out, AsLeftFactor(a), AsRightFactor(b), add));
}

// Whether LibTorch multiplies this narrow type with sums and results in fp32.
bool HasNarrowProducts(const at::Tensor& weight) {
  return weight.is_cuda() && (weight.scalar_type() == at::kBFloat16 || weight.scalar_type() == at::kHalf);
}

// Calls visit(begin, rows), the rows in fp32, for blocks of a weight's rows.
template <typename Visit>
void ForWideBlocks(const at::Tensor& weight, Visit visit) {
  constexpr int64_t kBlock = 4096;
  for (int64_t begin = 0; begin < weight.size(0); begin += kBlock) {
    const int64_t count = std::min(kBlock, weight.size(0) - begin);
    visit(begin, weight.narrow(0, begin, count).to(at::kFloat));
  }
}

}  // namespace

bool WidensFactors(at::Device device, at::ScalarType type) {
  return device.is_cpu() && type == at::kBFloat16;
}

bool WidensFactors(const at::Tensor& a) { return WidensFactors(a.device(), a.scalar_type()); }

at::Tensor Product(const at::Tensor& a, const at::Tensor& b, const at::Tensor& bias) {
  if (bias.defined() && HasNarrowProducts(b)) {  // addmm rounds a lone row before it adds the bias
    return at::mm(a, b, at::kFloat).add_(bias).to(a.scalar_type());
  }
  if (!HasDotProducts(a, b)) return bias.defined() ? at::addmm(bias, a, b) : at::mm(a, b);
  const at::NoGradGuard no_grad;
  at::Tensor wide = at::empty({a.size(0), b.size(1)}, a.options().dtype(at::kFloat));
  if (bias.defined()) wide.copy_(bias.expand_as(wide));
  MultiplyInto(wide, a, b, /*add=*/bias.defined());
  return wide.to(a.scalar_type());
}

at::Tensor PairwiseProduct(const at::Tensor& a, const at::Tensor& b) {
  if (!HasDotProducts(a, b)) return at::matmul(a, b);
  const at::NoGradGuard no_grad;
  const at::Tensor left = AsLeftFactor(a), right = AsRightFactor(b);
  const int64_t inner = a.size(1), pairs = a.size(0) * inner, element = right.element_size();
  at::Tensor wide =
      at::empty({a.size(0), inner, a.size(2), b.size(3)}, a.options().dtype(at::kFloat));
  const DotProducts first = AsProducts(wide, left, right, /*add=*/false);
  const auto of_pair = [&](int64_t pair) {
    const int64_t i = pair / inner, j = pair % inner;
    DotProducts product = first;
    product.left += i * left.stride(0) + j * left.stride(1);
    product.right.data = static_cast<const char*>(first.right.data) +
                         (i * right.stride(0) + j * right.stride(1)) * element;
    product.out += i * wide.stride(0) + j * wide.stride(1);
    return product;
  };
  if (pairs < at::get_num_threads()) {
    for (int64_t pair = 0; pair < pairs; ++pair) MultiplyInPieces(of_pair(pair));
  } else {
    at::parallel_for(0, pairs, 1, [&](int64_t begin, int64_t end) {
      for (int64_t pair = begin; pair < end; ++pair) Multiply(of_pair(pair));
    });
  }
  return wide.to(a.scalar_type());
}

void WideProduct(at::Tensor& out, const at::Tensor& a, const at::Tensor& weight) {
  if (HasDotProducts(a, weight) && out.stride(1) == 1) {
    return MultiplyInto(out, a, weight.t(), /*add=*/false);
  }
  if (HasNarrowProducts(weight)) {
    at::mm_out(out, a.to(weight.scalar_type()), weight.t(), at::kFloat);
    return;
  }
  const at::Tensor wide = a.to(at::kFloat);
  ForWideBlocks(weight, [&](int64_t begin, const at::Tensor& rows) {
    at::Tensor columns = out.narrow(1, begin, rows.size(0));
    at::mm_out(columns, wide, rows.t());
  });
}

at::Tensor WideBackProduct(const at::Tensor& a, const at::Tensor& weight) {
  if (HasNarrowProducts(weight)) return at::mm(a.to(weight.scalar_type()), weight, at::kFloat);
  at::Tensor sum = at::zeros({a.size(0), weight.size(1)}, a.options().dtype(at::kFloat));
  if (HasDotProducts(a, weight)) {
    MultiplyInto(sum, a, weight, /*add=*/false);
    return sum;
  }
  ForWideBlocks(weight, [&](int64_t begin, const at::Tensor& rows) {
    sum.addmm_(a.narrow(1, begin, rows.size(0)), rows);
  });
  return sum;
}

at::Tensor OuterProduct(const at::Tensor& a, const at::Tensor& b) {
  if (HasNarrowProducts(a)) return at::mm(a.t(), b, at::kFloat);
  if (!HasDotProducts(a, b)) return at::mm(a.to(at::kFloat).t(), b.to(at::kFloat));
  at::Tensor product = at::empty({a.size(1), b.size(1)}, a.options().dtype(at::kFloat));
  MultiplyInto(product, a.t(), b, /*add=*/false);
  return product;
}

void AddOuterProduct(at::Tensor& sum, const at::Tensor& a, const at::Tensor& b) {
  if (HasDotProducts(a, b) && sum.stride(1) == 1) {
    MultiplyInto(sum, a.t(), b, /*add=*/true);
  } else if (HasNarrowProducts(a)) {
    sum.add_(OuterProduct(a, b));
  } else {
    sum.addmm_(a.to(at::kFloat).t(), b.to(at::kFloat));
  }
}

}  // namespace grin
