#include "grin/gguf/block_type.h"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "grin/base/error.h"

namespace grin {
namespace {

constexpr std::array kReadable{
    GgufTypeTraits{GgufType::kF32, "F32", 1, 4},
    GgufTypeTraits{GgufType::kF16, "F16", 1, 2},
    GgufTypeTraits{GgufType::kBF16, "BF16", 1, 2},
    GgufTypeTraits{GgufType::kQ4_0, "Q4_0", 32, 18},
    GgufTypeTraits{GgufType::kQ4_1, "Q4_1", 32, 20},
    GgufTypeTraits{GgufType::kQ5_0, "Q5_0", 32, 22},
    GgufTypeTraits{GgufType::kQ5_1, "Q5_1", 32, 24},
    GgufTypeTraits{GgufType::kQ8_0, "Q8_0", 32, 34},
    GgufTypeTraits{GgufType::kQ2_K, "Q2_K", 256, 84},
    GgufTypeTraits{GgufType::kQ3_K, "Q3_K", 256, 110},
    GgufTypeTraits{GgufType::kQ4_K, "Q4_K", 256, 144},
    GgufTypeTraits{GgufType::kQ5_K, "Q5_K", 256, 176},
    GgufTypeTraits{GgufType::kQ6_K, "Q6_K", 256, 210},
};

// Known by name only, for the message that refuses them.
constexpr std::array<std::pair<uint32_t, std::string_view>, 20> kOthers{{
    {9, "Q8_1"},   {15, "Q8_K"},   {16, "IQ2_XXS"}, {17, "IQ2_XS"}, {18, "IQ3_XXS"},
    {19, "IQ1_S"}, {20, "IQ4_NL"}, {21, "IQ3_S"},   {22, "IQ2_S"},  {23, "IQ4_XS"},
    {24, "I8"},    {25, "I16"},    {26, "I32"},     {27, "I64"},    {28, "F64"},
    {29, "IQ1_M"}, {34, "TQ1_0"},  {35, "TQ2_0"},   {39, "MXFP4"},  {40, "NVFP4"},
}};

}  // namespace

const GgufTypeTraits* FindGgufType(uint32_t number) {
  for (const GgufTypeTraits& traits : kReadable) {
    if (static_cast<uint32_t>(traits.type) == number) return &traits;
  }
  return nullptr;
}

const GgufTypeTraits& TraitsOf(GgufType type) {
  const GgufTypeTraits* traits = FindGgufType(static_cast<uint32_t>(type));
  if (!traits) Defect("io", "GGUF type {} has no row", static_cast<uint32_t>(type));
  return *traits;
}

std::string GgufTypeName(uint32_t number) {
  if (const GgufTypeTraits* traits = FindGgufType(number)) return std::string(traits->name);
  for (const auto& [other, name] : kOthers) {
    if (other == number) return std::string(name);
  }
  return fmt::format("type {}", number);
}

std::string ReadableGgufTypes() {
  std::string names;
  for (const GgufTypeTraits& traits : kReadable) {
    names += (names.empty() ? "" : ", ") + std::string(traits.name);
  }
  return names;
}

}  // namespace grin
