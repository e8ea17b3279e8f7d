#pragma once
// A device that stands in for a card in tests. Its tensors are LibTorch's PrivateUse1 tensors, named
// "standin"; its operators are those of the CPU, run on views of the same memory. What it adds are
// the rules that hold on a card:
//
// - Its memory can be touched by operators only: whoever else reads or writes it where a tensor says
//   that it is ends the process by a signal.
// - An operator refuses tensors of which some lie on the device and others on the host. A tensor of
//   the CPU without dimensions counts as a number and is allowed, as LibTorch allows it.
// - Whatever makes the host wait for the device is counted.

#include <c10/core/Device.h>

#include <cstdint>

namespace grin {

// Makes the device known to LibTorch, once for the process: before autograd runs for the first time, on
// whatever device that is, for it makes room for the devices that it knows then.
void InstallStandIn();

inline const c10::Device kStandIn{c10::DeviceType::PrivateUse1, 0};

struct StandInCounts {
  // Copies to the host, numbers and truths read from a tensor, and operators whose result has a size
  // that only the device knows (nonzero, unique, an index by booleans).
  int64_t reads = 0;
  // Copies to the device that are not marked as non_blocking, and those that an operator makes of a
  // number (where, index_put). On a card they wait, too.
  int64_t blocking_writes = 0;
  int64_t operators = 0;

  int64_t synchronisations() const { return reads + blocking_writes; }
};

// Since the process began, of all threads.
StandInCounts CountsOfStandIn();

// Bytes that the device's tensors take now, and the most that they took since the last call of
// ForgetPeakOfStandIn.
int64_t BytesOfStandIn();
int64_t PeakOfStandIn();
void ForgetPeakOfStandIn();

// From now on an allocation that would make it more than `bytes` fails as on a card: with
// c10::OutOfMemoryError. 0: no limit.
void LimitStandIn(int64_t bytes);

}  // namespace grin
