#include "grin/run/device.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <ATen/detail/PrivateUse1HooksInterface.h>

#include <algorithm>
#include <cctype>

#include "grin/base/error.h"
#include "grin/model/libtorch.h"

namespace grin {

int64_t CardNumber(std::string_view name) {
  if (name == "cuda") return 0;
  constexpr std::string_view kPrefix = "cuda:";
  if (!name.starts_with(kPrefix)) return -1;
  const std::string_view digits = name.substr(kPrefix.size());
  const auto is_digit = [](unsigned char c) { return std::isdigit(c) != 0; };
  if (digits.empty() || digits.size() > 3 || !std::ranges::all_of(digits, is_digit)) return -1;
  return std::stoll(std::string(digits));
}

at::Device FindDevice(const std::string& name) {
  if (name == "cpu") return at::kCPU;
  if (at::isPrivateUse1HooksRegistered() && name == c10::get_privateuse1_backend()) {
    return {at::kPrivateUse1, 0};
  }
  const int64_t card = CardNumber(name);
  if (card < 0 && name != "auto") {
    BadUsage("run", "--device '{}' is not known; it is cpu, cuda, cuda:N or auto", name);
  }
  const Cards& cards = FindCards();
  if (name == "auto") return cards.count == 0 ? at::Device(at::kCPU) : at::Device(at::kCUDA, 0);
  if (cards.count == 0) {
    BadUsage("run", "--device {}: {}; leave --device out to compute on the CPU", name, cards.why);
  }
  if (card >= cards.count) {
    BadUsage("run", "--device {}: this machine has {} card{}, the last is cuda:{}", name, cards.count,
             cards.count == 1 ? "" : "s", cards.count - 1);
  }
  return {at::kCUDA, static_cast<c10::DeviceIndex>(card)};
}

void SettleDevice(ComputeOptions& compute) {
  const at::Device device = FindDevice(compute.device);
  if (!device.is_privateuseone()) compute.device = device.is_cpu() ? "cpu" : device.str();
}

void CheckHasProducts(at::Device device, at::ScalarType type) {
  if (device.is_cpu()) return;
  const at::NoGradGuard no_grad;
  const at::Tensor ones = at::ones({16, 16}, at::TensorOptions(type).device(device));
  try {
    const float sum = at::mm(ones, ones).sum().item<float>();
    if (sum != 4096) Defect("run", "a product of ones on {} sums up to {}", device.str(), sum);
  } catch (const c10::OutOfMemoryError&) {
    throw;
  } catch (const c10::Error& error) {
    const std::string what = error.what_without_backtrace();
    BadUsage("run", "{} has no products in {}: {}; --dtype float32 computes in fp32", device.str(),
             c10::toString(type), what.substr(0, what.find('\n')));
  }
}

void RefuseMemory(const c10::OutOfMemoryError& error, const ComputeOptions& compute,
                  std::string_view stage, std::string_view advice) {
  std::string what = error.what_without_backtrace();
  what = what.substr(0, what.find('\n'));
  throw Error(ErrorClass::kMemory, "run",
              fmt::format("{}: the device's memory has ended while {}; {}; --memory-budget makes passes "
                          "smaller, --dtype bfloat16 halves weights and activations of fp32{}{}",
                          compute.device, stage, what, advice.empty() ? "" : ", ", advice));
}

}  // namespace grin
