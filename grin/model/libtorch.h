#pragma once
// The LibTorch that this process runs with: its version, its folder, and its part for CUDA, which is
// loaded only when a card is asked for. So one program serves machines with a card and without one.

#include <cstdint>
#include <filesystem>
#include <string>

namespace grin {

// The folder of the `torch` package that libtorch_cpu.so was loaded from.
std::filesystem::path LibTorchFolder();

// "LibTorch 2.13.0 in /.../torch".
std::string DescribeLibTorch();

struct Cards {
  int64_t count = 0;  // that CUDA can use
  std::string why;    // there are none, as the end of a sentence; empty where there are some
};

// Loads CUDA's driver and LibTorch's CUDA libraries on the first call, and counts the cards. Has to be
// called before the first tensor of a card is made and before the first backward pass. Quick where the
// machine has no driver.
const Cards& FindCards();

}  // namespace grin
