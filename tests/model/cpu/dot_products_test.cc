#include "grin/model/cpu/dot_products.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace grin {
namespace {

// What fp32 sums of `depth` products in any order may be off by, relative to the sum of magnitudes:
// each product and each addition rounds once.
double SumBound(int64_t depth) { return static_cast<double>(depth + 2) * 0x1p-24; }

// Factors and where their product goes.
struct Factors {
  at::Tensor left;   // fp32 [rows, depth]
  at::Tensor right;  // fp32 or bf16, [columns, depth]; perhaps the transpose of what is in memory
};

DotProducts AsProduct(const Factors& f, at::Tensor& out, bool add = false) {
  return {.left = f.left.const_data_ptr<float>(),
          .left_stride = f.left.stride(0),
          .right = {.data = f.right.const_data_ptr(),
                    .is_bfloat16 = f.right.scalar_type() == at::kBFloat16,
                    .column_stride = f.right.stride(0),
                    .depth_stride = f.right.stride(1)},
          .rows = f.left.size(0),
          .columns = f.right.size(0),
          .depth = f.left.size(1),
          .out = out.mutable_data_ptr<float>(),
          .out_stride = out.stride(0),
          .add = add};
}

at::Tensor MultiplyAll(const Factors& f) {
  at::Tensor out = at::full({f.left.size(0), f.right.size(0)}, 7.0);
  Multiply(AsProduct(f, out));
  return out;
}

TEST(DotProducts, AgreeWithThePlainTwin) {
  at::manual_seed(1);
  for (const int64_t rows : {1, 2, 3, 7, 20}) {
    for (const int64_t columns : {1, 3, 4, 70}) {
      for (const int64_t depth : {1, 7, 16, 100, 1024, 2100}) {
        const at::Tensor left = at::randn({rows, depth}), wide = at::randn({columns, depth});
        const at::Tensor narrow = wide.to(at::kBFloat16);
        const at::Tensor magnitudes = at::mm(left.abs(), wide.abs().t());
        for (const at::Tensor& right :
             {wide, narrow, wide.t().contiguous().t(), narrow.t().contiguous().t()}) {
          for (const bool add : {false, true}) {
            at::Tensor found = at::ones({rows, columns}), expected = at::ones({rows, columns});
            Multiply(AsProduct({left, right}, found, add));
            PlainMultiply(AsProduct({left, right}, expected, add));
            const at::Tensor error = (found - expected).abs() / (magnitudes + 1);
            ASSERT_LT(error.max().item<double>(), SumBound(depth) * 1.01)
                << rows << " x " << depth << " x " << columns;
          }
        }
      }
    }
  }
}

// The bits of fp32 numbers: unlike equal(), this tells 0 from -0.
bool SameBits(const at::Tensor& a, const at::Tensor& b) {
  return a.contiguous().view(at::kInt).equal(b.contiguous().view(at::kInt));
}

// One row at a time, one column at a time, narrow or widened, however it lies in memory: the same
// bits.
TEST(DotProducts, OneNumberIsMadeInOneWay) {
  at::manual_seed(2);
  for (const int64_t depth : {1, 5, 64, 1000, 1024, 2055}) {
    const at::Tensor left = at::randn({29, depth});
    const at::Tensor narrow = at::randn({229, depth}).to(at::kBFloat16);
    const at::Tensor whole = MultiplyAll({left, narrow});
    for (const at::Tensor& right : {narrow, narrow.to(at::kFloat), narrow.t().contiguous().t(),
                                    narrow.to(at::kFloat).t().contiguous().t()}) {
      SCOPED_TRACE(testing::Message()
                   << depth << " " << right.scalar_type() << " " << right.strides());
      EXPECT_TRUE(SameBits(whole, MultiplyAll({left, right})));
      for (const int64_t rows : {1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 13, 28}) {
        EXPECT_TRUE(
            SameBits(whole.narrow(0, 1, rows), MultiplyAll({left.narrow(0, 1, rows), right})));
      }
      for (const int64_t columns : {1, 2, 3, 4, 5, 11, 40, 100, 227}) {
        for (const int64_t rows : {1, 2, 3, 29}) {
          EXPECT_TRUE(
              SameBits(whole.narrow(0, 0, rows).narrow(1, 2, columns),
                       MultiplyAll({left.narrow(0, 0, rows), right.narrow(0, 2, columns)})));
        }
      }
    }
  }
}

// Products too small for fp32 leave -0 in a lane, which the zeros of a lane's last step turn to 0.
TEST(DotProducts, OneNumberIsMadeInOneWayAlsoOfNegativeZeros) {
  for (int64_t depth = 1; depth <= 40; ++depth) {
    const at::Tensor left = at::full({20, depth}, -1e-30), right = at::full({70, depth}, 1e-30);
    const at::Tensor whole = MultiplyAll({left, right});
    for (const int64_t rows : {1, 2, 3, 20}) {
      const at::Tensor few = left.narrow(0, 0, rows);
      EXPECT_TRUE(SameBits(whole.narrow(0, 0, rows), MultiplyAll({few, right})));
      EXPECT_TRUE(
          SameBits(whole.narrow(0, 0, rows), MultiplyAll({few, right.t().contiguous().t()})));
    }
  }
}

TEST(DotProducts, OfNoDepthAreZero) {
  EXPECT_TRUE(MultiplyAll({at::empty({2, 0}), at::empty({3, 0})}).equal(at::zeros({2, 3})));
}

TEST(AddSelectedDots, AgreeWithThePlainTwin) {
  at::manual_seed(3);
  for (const int64_t depth : {16, 64, 512}) {
    const at::Tensor left = at::randn({depth}), columns = at::randn({40, depth});
    for (const int64_t count : {0, 1, 3, 4, 5, 31}) {
      const at::Tensor selected = at::randint(40, {count}, at::kInt);
      at::Tensor found = at::ones({count}), expected = at::ones({count});
      const auto call = [&](auto function, at::Tensor& out) {
        function(left.const_data_ptr<float>(), columns.const_data_ptr<float>(), depth, depth,
                 selected.const_data_ptr<int32_t>(), count, out.mutable_data_ptr<float>());
      };
      call(AddSelectedDots, found);
      call(PlainAddSelectedDots, expected);
      const at::Tensor magnitudes = columns.index_select(0, selected).abs().mv(left.abs()) + 1;
      EXPECT_TRUE(((found - expected).abs() <= magnitudes * SumBound(depth)).all().item<bool>());
    }
  }
}

}  // namespace
}  // namespace grin
