#pragma once
// Large tensors of goldens are stored as two numbers: the norm, and the dot product with a wave.

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <string>

#include "grin/base/json.h"

namespace grin {

// `values` of any shape, type and device; `tolerance` relative to the expected norm; `what` is printed
// where they differ.
inline void ExpectFingerprint(const at::Tensor& values, const Json& expected, double tolerance,
                              const std::string& what) {
  const at::Tensor flat = values.cpu().flatten().to(at::kDouble);
  const at::Tensor wave = at::arange(1, flat.numel() + 1, at::kDouble).sin();
  const double norm = expected["norm"];
  EXPECT_NEAR(flat.norm().item<double>(), norm, tolerance * norm) << what;
  EXPECT_NEAR((flat * wave).sum().item<double>(), expected["dot"].get<double>(), tolerance * norm)
      << what;
}

}  // namespace grin
