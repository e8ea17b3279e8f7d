#include "grin/model/cpu/attention_kernels.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace grin {
namespace {

TEST(AttendRows, AgreesWithThePlainTwin) {
  at::manual_seed(1);
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    for (const int64_t dim : {1, 7, 16, 20, 64, 100, 128, 256}) {
      for (const int64_t count : {1, 2, 5, 37, 300}) {
        for (const float cap : {0.0f, 4.0f}) {
          const at::Tensor query = at::randn({dim});
          const at::Tensor keys = at::randn({count, dim}).to(type);
          const at::Tensor values = at::randn({count, dim}).to(type);
          at::Tensor scores = at::empty({count}), found = at::empty({dim}),
                     expected = at::empty({dim});
          AttendedRows rows{.query = query.const_data_ptr<float>(),
                            .keys = keys.const_data_ptr(),
                            .values = values.const_data_ptr(),
                            .next = keys.const_data_ptr(),
                            .is_bfloat16 = type == at::kBFloat16,
                            .count = count,
                            .dim = dim,
                            .scale = 0.2f,
                            .cap = cap,
                            .scores = scores.mutable_data_ptr<float>(),
                            .mixed = found.mutable_data_ptr<float>()};
          AttendRows(rows);
          rows.mixed = expected.mutable_data_ptr<float>();
          PlainAttendRows(rows);
          // Weights are off by what their scores' fp32 sums are, and add up to 1.
          const double tolerance = static_cast<double>(dim + count) * 0x1p-22;
          EXPECT_TRUE(at::allclose(found, expected, 0, tolerance)) << dim << " " << count;
        }
      }
    }
  }
}

}  // namespace
}  // namespace grin
