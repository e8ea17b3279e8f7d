#include "grin/base/processor.h"

#include <hwy/highway.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <string>

#include "grin/base/error.h"

namespace grin {
namespace {

constexpr char kVariable[] = "GRIN_INSTRUCTIONS";

std::optional<Instructions> InstructionsNamed(std::string_view name) {
  for (const auto instructions :
       {Instructions::kPlain, Instructions::kAvx2, Instructions::kAvx512}) {
    if (InstructionsName(instructions) == name) return instructions;
  }
  return std::nullopt;
}

std::string Wanted() {
  const char* value = std::getenv(kVariable);
  return value ? value : "";
}

// Runs before main() and before any kernel, since Highway and the libraries choose at their first
// call and stay with it. A name that is not known lowers nothing here; CheckInstructions refuses
// it.
[[gnu::constructor]] void LimitInstructions() {
#if HWY_ARCH_X86
  const auto limit = InstructionsNamed(Wanted());
  if (!limit || *limit == Instructions::kAvx512) return;
  int64_t above = HWY_AVX3 | HWY_AVX3_DL;
  if (*limit == Instructions::kPlain) above |= HWY_AVX2 | HWY_SSE4 | HWY_SSSE3;
  hwy::DisableTargets(above);
  const bool avx2 = *limit == Instructions::kAvx2;
  const auto set = [](const char* name, const char* value) { setenv(name, value, /*replace=*/1); };
  set("ATEN_CPU_CAPABILITY", avx2 ? "avx2" : "default");
  set("ONEDNN_MAX_CPU_ISA", avx2 ? "AVX2" : "SSE41");
  set("MKL_ENABLE_INSTRUCTIONS", avx2 ? "AVX2" : "SSE4_2");
#endif
}

}  // namespace

Instructions InstructionsInUse() {
#if HWY_ARCH_X86
  const int64_t targets = hwy::SupportedTargets();
  // Highway 1.0 forgets there what was disabled and lets kernels use all that the processor has.
  hwy::GetChosenTarget().Update(targets);
  if (targets & (HWY_AVX3 | HWY_AVX3_DL)) return Instructions::kAvx512;
  if (targets & HWY_AVX2) return Instructions::kAvx2;
#endif
  return Instructions::kPlain;
}

std::string_view InstructionsName(Instructions instructions) {
  switch (instructions) {
    case Instructions::kPlain:
      return "plain";
    case Instructions::kAvx2:
      return "avx2";
    case Instructions::kAvx512:
      return "avx512";
  }
  return "";
}

std::string ProcessorName() {
  std::ifstream file("/proc/cpuinfo");
  std::string name = "unknown";
  for (std::string line; std::getline(file, line);) {
    const size_t colon = line.find(": ");
    if (!line.starts_with("model name") || colon == std::string::npos) continue;
    name = line.substr(colon + 2);
    break;
  }
  return name + ", " + std::string(InstructionsName(InstructionsInUse()));
}

void CheckInstructions() {
  const std::string wanted = Wanted();
  if (wanted.empty() || InstructionsNamed(wanted)) return;
  BadUsage("base", "{} is \"{}\"; it can be plain, avx2 or avx512", kVariable, wanted);
}

}  // namespace grin
