#include "grin/tune/low_rank.h"

#include <algorithm>
#include <limits>

#include "grin/perturb/stream_values.h"

namespace grin {
namespace {

constexpr int64_t kSmall = 768;  // up to this side a whole decomposition takes a second or so
constexpr int64_t kMore = 8;     // directions beyond those that are wanted, for the range to hold these

at::Tensor Orthonormal(const at::Tensor& columns) {
  return std::get<0>(at::linalg_qr(columns, "reduced"));
}

// An orthonormal basis [m, count] of nearly all that the strongest directions of the matrix span.
at::Tensor RangeOf(const at::Tensor& matrix, int64_t count, uint64_t seed) {
  const int64_t n = matrix.size(1);
  const at::Tensor draw =
      StreamValues(RandomStream(seed, "low rank"), {}, n * count,
                   [](const RandomStream& random, int64_t i) { return random.Normal(i); })
          .view({n, count})
          .to(matrix.options());
  at::Tensor range = Orthonormal(matrix.matmul(draw));
  for (int i = 0; i < 2; ++i) {
    range = Orthonormal(matrix.matmul(Orthonormal(matrix.t().matmul(range))));
  }
  return range;
}

}  // namespace

LowRank StrongestDirections(const at::Tensor& matrix, int64_t rank, uint64_t seed) {
  const int64_t smaller = std::min(matrix.size(0), matrix.size(1));
  rank = std::min(rank, smaller);
  at::Tensor u, s, v;
  if (smaller <= kSmall || 2 * (rank + kMore) >= smaller) {
    std::tie(u, s, v) = at::linalg_svd(matrix, /*full_matrices=*/false);
  } else {
    const at::Tensor range = RangeOf(matrix, rank + kMore, seed);
    std::tie(u, s, v) = at::linalg_svd(range.t().matmul(matrix), /*full_matrices=*/false);
    u = range.matmul(u);
  }
  const double rounding = static_cast<double>(std::max(matrix.size(0), matrix.size(1))) *
                          std::numeric_limits<float>::epsilon();
  const auto real = s.gt(s.max().mul(rounding)).sum().item<int64_t>();
  const int64_t kept = std::min(rank, real);
  return {u.narrow(1, 0, kept), s.narrow(0, 0, kept), v.narrow(0, 0, kept).t()};
}

at::Tensor WeakenDirections(const at::Tensor& matrix, const LowRank& directions) {
  if (directions.s.numel() == 0) return matrix.clone();
  const at::Tensor taken = directions.s.min().div(directions.s).neg().add(1);  // 1 - s_min / s_i, [k]
  const at::Tensor left =
      matrix - matrix.matmul(directions.v).mul(taken).matmul(directions.v.t());
  return left - directions.u.matmul(directions.u.t().matmul(left).mul(taken.unsqueeze(1)));
}

}  // namespace grin
