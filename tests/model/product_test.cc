#include "grin/model/product.h"

#include <gtest/gtest.h>

#include "grin/model/one_dnn.h"

namespace grin {
namespace {

TEST(Product, OfBFloat16IsThatOfWidenedFactors) {
  at::manual_seed(1);
  for (const int64_t rows : {1, 127, 128, 300}) {
    const at::Tensor a = at::randn({rows, 40}).to(at::kBFloat16);
    const at::Tensor b = at::randn({30, 40}).to(at::kBFloat16);
    const at::Tensor bias = at::randn({30}).to(at::kBFloat16);
    const at::Tensor exact = at::mm(a.to(at::kDouble), b.t().to(at::kDouble));
    for (const bool biased : {false, true}) {
      const at::Tensor product = Product(a, b.t(), biased ? bias : at::Tensor());
      ASSERT_EQ(product.scalar_type(), at::kBFloat16);
      const at::Tensor expected = biased ? exact + bias.to(at::kDouble) : exact;
      EXPECT_TRUE(at::allclose(product.to(at::kDouble), expected, 0.01, 0.05)) << rows;
    }
  }
}

// On every processor, whichever of the two libraries Product takes there.
TEST(OneDnnProduct, EqualsTheProduct) {
  at::manual_seed(4);
  for (const int64_t rows : {1, 16, 131, 700}) {
    const at::Tensor a = at::randn({rows, 72}), weight = at::randn({90, 72}),
                     bias = at::randn({90});
    const at::Tensor exact = at::mm(a.to(at::kDouble), weight.t().to(at::kDouble));
    const auto near = [](const at::Tensor& found, const at::Tensor& expected) {
      return found.scalar_type() == at::kFloat &&
             at::allclose(found.to(at::kDouble), expected, 1e-5, 1e-4);
    };
    for (const at::Tensor& rows_of : {a, at::cat({a, a}, 1).narrow(1, 0, 72)}) {
      EXPECT_TRUE(near(OneDnnProduct(rows_of, weight, {}), exact)) << rows;
      EXPECT_TRUE(near(OneDnnProduct(rows_of, weight, bias), exact + bias.to(at::kDouble))) << rows;
      EXPECT_TRUE(near(Product(rows_of, weight.t(), bias), exact + bias.to(at::kDouble))) << rows;
      EXPECT_TRUE(near(Product(rows_of, weight.t().contiguous()), exact)) << rows;
    }
  }
}

TEST(WideProduct, OfBlocksIsTheWholeProduct) {
  at::manual_seed(3);
  const int64_t rows = 5000;  // more than a block, and not a multiple of one
  const at::Tensor weight = at::randn({rows, 8}).to(at::kBFloat16);
  const at::Tensor a = at::randn({130, 8}).to(at::kBFloat16);
  at::Tensor out = at::empty({200, rows}).narrow(0, 0, 130);
  WideProduct(out, a, weight);
  const at::Tensor exact = at::mm(a.to(at::kDouble), weight.t().to(at::kDouble));
  EXPECT_TRUE(at::allclose(out.to(at::kDouble), exact, 1e-5, 1e-5));
  const at::Tensor slope = at::randn({130, rows});
  const at::Tensor back = at::mm(slope.to(at::kDouble), weight.to(at::kDouble));
  EXPECT_TRUE(at::allclose(WideBackProduct(slope, weight).to(at::kDouble), back, 1e-4, 1e-3));
}

TEST(AddOuterProduct, AddsWithoutRounding) {
  at::manual_seed(2);
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    const at::Tensor a = at::randn({50, 12}).to(type), b = at::randn({50, 9}).to(type);
    const at::Tensor start = at::randn({12, 9});
    at::Tensor sum = start.clone();
    AddOuterProduct(sum, a, b);
    const at::Tensor expected =
        start.to(at::kDouble) + at::mm(a.to(at::kDouble).t(), b.to(at::kDouble));
    EXPECT_TRUE(at::allclose(sum.to(at::kDouble), expected, 1e-5, 1e-5));
  }
}

}  // namespace
}  // namespace grin
