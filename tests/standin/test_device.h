#pragma once
// Where the suites put their tensors: on the CPU, or where the environment says so on the stand-in
// device (GRIN_TEST_DEVICE=standin) or on a card (cuda). The same tests run on all.

#include <ATen/ATen.h>

#include <cstdlib>
#include <stdexcept>
#include <string_view>

#include "grin/model/libtorch.h"
#include "tests/standin/standin.h"

namespace grin {

inline at::Device TestDevice() {
  static const at::Device device = [] {
    const char* name = std::getenv("GRIN_TEST_DEVICE");
    if (!name || std::string_view(name) == "cpu") return at::Device(at::kCPU);
    if (std::string_view(name) == "cuda") {
      if (FindCards().count == 0) throw std::runtime_error("GRIN_TEST_DEVICE=cuda: " + FindCards().why);
      return at::Device(at::kCUDA, 0);
    }
    if (std::string_view(name) != "standin") throw std::runtime_error("GRIN_TEST_DEVICE is unknown");
    InstallStandIn();
    return kStandIn;
  }();
  return device;
}

// Before any tensor is made: LibTorch answers for ever what it first knew of a device.
inline const at::Device kTestDevice = TestDevice();

// What --device is to be.
inline const char* TestDeviceName() { return TestDevice().is_cpu() ? "cpu" : TestDevice().is_cuda() ? "cuda" : "standin"; }

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
