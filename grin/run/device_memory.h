#pragma once
// What memory there is, on the device and on the host.

#include <c10/core/Device.h>

#include <cstdint>
#include <optional>

namespace grin {

// Bytes of a device's memory that nothing lies in: what the system has free there, and what LibTorch's
// allocator has taken but nobody uses. Nothing for the CPU, and for a device that does not tell.
std::optional<int64_t> FreeDeviceMemory(c10::Device device);

// Bytes that programs can still take on the host without any being written out, by the system's own
// account. Nothing where it does not say.
std::optional<int64_t> FreeHostMemory();

}  // namespace grin
