#include "grin/model/product.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <vector>

#include "tests/standin/test_device.h"

namespace grin {
namespace {

constexpr double kFloatRounding = 0x1p-24, kBFloat16Rounding = 0x1p-8;

// |found - exact| as a share of what fp32 sums over `depth` and one last rounding to the type of
// `found` may cost: at most 1.
double ShareOfBound(const at::Tensor& found, const at::Tensor& a, const at::Tensor& b,
                    const at::Tensor& bias = {}) {
  const at::Tensor wide_a = a.to(at::kDouble), wide_b = b.to(at::kDouble);
  at::Tensor exact = at::mm(wide_a, wide_b), magnitude = at::mm(wide_a.abs(), wide_b.abs());
  if (bias.defined()) {
    exact = exact + bias.to(at::kDouble);
    magnitude = magnitude + bias.to(at::kDouble).abs();
  }
  const double last = found.scalar_type() == at::kBFloat16 ? kBFloat16Rounding : kFloatRounding;
  const at::Tensor bound =
      magnitude * (static_cast<double>(a.size(1) + 3) * kFloatRounding) + exact.abs() * last;
  return ((found.to(at::kDouble) - exact).abs() / bound).max().item<double>();
}

TEST(Product, IsExactButForFloatSumsAndOneRounding) {
  at::manual_seed(1);
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    for (const int64_t rows : {1, 16, 127, 128, 300}) {
      const at::Tensor a = DrawNormal({rows, 72}).to(type), weight = DrawNormal({90, 72}).to(type);
      const at::Tensor bias = DrawNormal({90}).to(type);
      for (const at::Tensor& rows_of : {a, at::cat({a, a}, 1).narrow(1, 0, 72)}) {
        for (const at::Tensor& b : {weight.t(), weight.t().contiguous(),
                                    at::cat({weight, weight}, 1).narrow(1, 0, 72).t()}) {
          const at::Tensor product = Product(rows_of, b), biased = Product(rows_of, b, bias);
          ASSERT_EQ(product.scalar_type(), type);
          EXPECT_LE(ShareOfBound(product, a, weight.t()), 1) << rows;
          EXPECT_LE(ShareOfBound(biased, a, weight.t(), bias), 1) << rows;
        }
      }
    }
  }
}

// Every product of this file for rows alone and among others, by any number of threads.
TEST(Product, OfARowDoesNotDependOnTheOthersNorOnTheThreads) {
  at::manual_seed(2);
  const int threads = at::get_num_threads();
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    for (const int64_t width : {96, 1100}) {
      const at::Tensor a = DrawNormal({1029, width}).to(type);
      const at::Tensor weight = DrawNormal({130, width}).to(type), bias = DrawNormal({130}).to(type);
      const at::Tensor slope = DrawNormal({1029, 130});
      const auto all = [&](int64_t first, int64_t rows) {
        const at::Tensor part = a.narrow(0, first, rows);
        at::Tensor wide = at::empty({rows, 130}, slope.options());
        WideProduct(wide, part, weight);
        const at::Tensor gradient = slope.narrow(0, first, rows);
        return std::vector{Product(part, weight.t()),
                           Product(part, weight.t(), bias),
                           Product(part, weight.t().contiguous()),
                           Product(gradient.to(type), weight),
                           wide,
                           WideBackProduct(gradient, weight)};
      };
      at::set_num_threads(1);
      const std::vector<at::Tensor> whole = all(0, 1029);
      for (const int64_t rows : {1, 7, 16, 127, 128, 129, 257, 383, 1029}) {
        at::set_num_threads(1 + static_cast<int>(rows % 3));
        const std::vector<at::Tensor> part = all(1029 - rows, rows);
        for (size_t i = 0; i < whole.size(); ++i) {
          EXPECT_TRUE(part[i].equal(whole[i].narrow(0, 1029 - rows, rows)))
              << "product " << i << " of " << rows << " rows in " << type;
        }
      }
    }
  }
  at::set_num_threads(threads);
}

TEST(PairwiseProduct, IsTheProductOfEachPair) {
  at::manual_seed(5);
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    // As attention has them: heads between the rows, and one factor transposed.
    const at::Tensor a = at::randn({3, 17, 2, 40}).to(type).transpose(1, 2);
    const at::Tensor keys = at::randn({3, 23, 2, 40}).to(type).transpose(1, 2);
    for (const at::Tensor& b : {keys.transpose(2, 3), keys.transpose(2, 3).contiguous(),
                                at::cat({keys, keys}, 3).slice(3, 0, 80, 2).transpose(2, 3)}) {
      const at::Tensor product = PairwiseProduct(a, b);
      ASSERT_EQ(product.sizes(), (std::vector<int64_t>{3, 2, 17, 23}));
      ASSERT_EQ(product.scalar_type(), type);
      for (int64_t i = 0; i < 3; ++i) {
        for (int64_t j = 0; j < 2; ++j) {
          EXPECT_LE(ShareOfBound(product[i][j], a[i][j], b[i][j]), 1);
          EXPECT_TRUE(product[i][j].equal(Product(a[i][j], b[i][j])));
        }
      }
      // More threads than pairs.
      EXPECT_TRUE(
          PairwiseProduct(a.narrow(0, 1, 1), b.narrow(0, 1, 1)).equal(product.narrow(0, 1, 1)));
    }
  }
}

TEST(WideProduct, AndItsReverseAreNotRoundedToBFloat16) {
  at::manual_seed(3);
  const at::Tensor weight = DrawNormal({5000, 40}).to(at::kBFloat16);
  const at::Tensor a = DrawNormal({130, 40}).to(at::kBFloat16), slope = DrawNormal({130, 5000});
  at::Tensor out = at::empty({200, 5000}, slope.options()).narrow(0, 0, 130);
  WideProduct(out, a, weight);
  EXPECT_LE(ShareOfBound(out, a, weight.t()), 1);
  const at::Tensor back = WideBackProduct(slope, weight);
  ASSERT_EQ(back.scalar_type(), at::kFloat);
  EXPECT_LE(ShareOfBound(back, slope, weight), 1);
}

TEST(AddOuterProduct, AddsWithoutRounding) {
  at::manual_seed(4);
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    for (const int64_t tokens : {1, 50, 1300}) {
      const at::Tensor a = DrawNormal({tokens, 12}).to(type), b = DrawNormal({tokens, 9}).to(type);
      const at::Tensor start = DrawNormal({12, 9});
      at::Tensor sum = start.clone();
      AddOuterProduct(sum, a, b);
      EXPECT_LE(ShareOfBound(OuterProduct(a, b), a.t(), b), 1);
      const at::Tensor left = at::cat({a.to(at::kDouble).t(), at::eye(12, start.options().dtype(at::kDouble))}, 1);
      EXPECT_LE(ShareOfBound(sum, left, at::cat({b.to(at::kDouble), start.to(at::kDouble)})), 1);
    }
  }
}

}  // namespace
}  // namespace grin
