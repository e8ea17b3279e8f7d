#include "grin/model/argmax.h"

#include <gtest/gtest.h>

#include <cmath>

namespace grin {
namespace {

TEST(ArgmaxOfRows, TakesTheFirstOfEqualsAndANan) {
  const float nan = std::nanf("");
  const at::Tensor rows = at::tensor({1.f, 5.f, 5.f, 0.f,      //
                                      -3.f, -2.f, -9.f, -2.f,  //
                                      0.f, 9.f, nan, nan})
                              .view({3, 4});
  EXPECT_TRUE(ArgmaxOfRows(rows).equal(at::tensor({1, 1, 2}, at::kLong)));
  at::manual_seed(3);
  const at::Tensor random = at::randint(0, 50, {70, 33}).to(at::kFloat);
  EXPECT_TRUE(ArgmaxOfRows(random).equal(random.argmax(-1)));
}

}  // namespace
}  // namespace grin
