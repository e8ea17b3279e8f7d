#pragma once
// Where a run computes, and what it says when the memory there ends.

#include <ATen/core/Tensor.h>
#include <c10/util/Exception.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "grin/run/options.h"

namespace grin {

// The device that --device means: "cpu", "cuda", "cuda:N", "auto" (the first card where this build and
// this machine have one, else the CPU), or the name of a device that the program has registered with
// LibTorch. Error (usage), in one line, for one that is not there, and why.
at::Device FindDevice(const std::string& name);

// N of "cuda:N", 0 of "cuda", whether or not there is such a card; -1 for anything else.
int64_t CardNumber(std::string_view name);

// Puts the name of the device that was found ("cpu", "cuda:0") in the place of "auto" and "cuda", so
// that a result says where it was computed.
void SettleDevice(ComputeOptions& compute);

// Error (usage) where the device has no products of this type, as cards older than Ampere have none of
// bf16.
void CheckHasProducts(at::Device device, at::ScalarType type);

// Throws an Error (memory): which stage, on which device, how much was asked for, and what would help.
[[noreturn]] void RefuseMemory(const c10::OutOfMemoryError& error, const ComputeOptions& compute,
                               std::string_view stage, std::string_view advice);

// What would help besides smaller passes.
inline constexpr std::string_view kLocateAdvice = "a narrower --scope takes fewer gradients";
inline constexpr std::string_view kTrainAdvice = "a smaller --fraction trains fewer weights";

// Does the work of a stage; where a device's memory ends in it, an Error (memory) says so. `stage`
// reads "locating"; `advice` "a smaller --fraction takes less".
template <typename Work>
auto InStage(const ComputeOptions& compute, std::string_view stage, std::string_view advice,
             const Work& work) {
  try {
    return work();
  } catch (const c10::OutOfMemoryError& error) {
    RefuseMemory(error, compute, stage, advice);
  }
}

}  // namespace grin
