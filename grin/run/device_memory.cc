#include "grin/run/device_memory.h"

#include <c10/core/CachingDeviceAllocator.h>

#include <fstream>
#include <string>

namespace grin {

std::optional<int64_t> FreeDeviceMemory(c10::Device device) {
  if (device.is_cpu()) return std::nullopt;
  auto* allocator = dynamic_cast<c10::DeviceAllocator*>(c10::GetAllocator(device.type()));
  if (!allocator) return std::nullopt;
  try {
    const c10::DeviceIndex index = device.has_index() ? device.index() : c10::DeviceIndex{0};
    const auto [free, total] = allocator->getMemoryInfo(index);
    const auto stats = allocator->getDeviceStats(index);
    const auto aggregate = static_cast<size_t>(c10::CachingAllocator::StatType::AGGREGATE);
    const int64_t cached =
        stats.reserved_bytes[aggregate].current - stats.allocated_bytes[aggregate].current;
    return static_cast<int64_t>(free) + cached;
  } catch (const c10::Error&) {  // its allocator does not know
    return std::nullopt;
  }
}

std::optional<int64_t> FreeHostMemory() {
  std::ifstream lines("/proc/meminfo");
  for (std::string name; lines >> name;) {
    int64_t kilobytes = 0;
    if (name == "MemAvailable:" && lines >> kilobytes) return kilobytes * 1024;
    std::getline(lines, name);
  }
  return std::nullopt;
}

}  // namespace grin
