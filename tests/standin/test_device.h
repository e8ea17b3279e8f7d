#pragma once
// Where the suites put their tensors: on the CPU, or on the stand-in device where the environment says
// GRIN_TEST_DEVICE=standin. The same tests run on both.

#include <ATen/ATen.h>

#include <cstdlib>
#include <string_view>

#include "tests/standin/standin.h"

namespace grin {

inline at::Device TestDevice() {
  static const at::Device device = [] {
    const char* name = std::getenv("GRIN_TEST_DEVICE");
    if (!name || std::string_view(name) != "standin") return at::Device(at::kCPU);
    InstallStandIn();
    return kStandIn;
  }();
  return device;
}

// What --device is to be.
inline const char* TestDeviceName() { return TestDevice().is_cpu() ? "cpu" : "standin"; }

inline at::Tensor OnTestDevice(const at::Tensor& host) {
  return host.defined() ? host.to(TestDevice()) : host;
}

// Options of tensors there.
inline at::TensorOptions TestOptions(at::ScalarType type = at::kFloat) {
  return at::TensorOptions(type).device(TestDevice());
}

// Drawn on the CPU, so that it is the same on every device.
inline at::Tensor DrawNormal(at::IntArrayRef sizes) { return OnTestDevice(at::randn(sizes)); }

}  // namespace grin
