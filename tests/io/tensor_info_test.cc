#include "grin/io/tensor_info.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "grin/base/half.h"

namespace grin {
namespace {

TEST(DType, NamesAreParsedBack) {
  for (int i = 0; i <= static_cast<int>(DType::kC64); ++i) {
    const auto dtype = static_cast<DType>(i);
    EXPECT_EQ(ParseDType(DTypeName(dtype)), dtype);
    EXPECT_GT(DTypeSize(dtype), 0);
  }
  EXPECT_EQ(ParseDType("f32"), std::nullopt);
  EXPECT_TRUE(IsFloat(DType::kBF16));
  EXPECT_FALSE(IsFloat(DType::kF8E4M3));
}

template <typename In, typename Out>
std::vector<Out> Convert(DType from, const std::vector<In>& in, DType to, int64_t overflowed) {
  std::vector<Out> out(in.size());
  EXPECT_EQ(
      ConvertFloats(from, std::as_bytes(std::span(in)), to, std::as_writable_bytes(std::span(out))),
      overflowed);
  return out;
}

TEST(DType, ConvertsWithOneRounding) {
  const std::vector<float> values = {
      0.0f,  -0.0f,    1.0f,      3.14159274f,
      1e-7f, 65504.0f, -65520.0f, std::numeric_limits<float>::infinity()};
  const auto halves = Convert<float, uint16_t>(DType::kF32, values, DType::kF16, 1);
  for (size_t i = 0; i < values.size(); ++i) EXPECT_EQ(halves[i], ToFloat16(values[i]));
  const auto brains = Convert<float, uint16_t>(DType::kF32, values, DType::kBF16, 0);
  for (size_t i = 0; i < values.size(); ++i) EXPECT_EQ(brains[i], ToBFloat16(values[i]));
  EXPECT_EQ((Convert<uint16_t, float>(DType::kBF16, {0x3f80}, DType::kF32, 0))[0], 1.0f);
  // Just above the middle of two neighbours: by way of fp32 it would sit on the middle and go down.
  const std::vector<double> above = {1.0 + 0x1.0p-8 + 0x1.0p-40, -1.0 - 0x1.0p-8 - 0x1.0p-40};
  const auto once = Convert<double, uint16_t>(DType::kF64, above, DType::kBF16, 0);
  EXPECT_EQ(once[0], 0x3f81);
  EXPECT_EQ(once[1], 0xbf81);
  const auto half =
      Convert<double, uint16_t>(DType::kF64, {1.0 + 0x1.0p-11 + 0x1.0p-40}, DType::kF16, 0);
  EXPECT_EQ(half[0], 0x3c01);
}

}  // namespace
}  // namespace grin
