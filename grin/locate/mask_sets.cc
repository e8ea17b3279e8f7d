#include "grin/locate/mask_sets.h"

#include <array>
#include <bit>
#include <cmath>
#include <map>

#include "grin/base/error.h"
#include "grin/base/printable.h"
#include "grin/io/tensor_info.h"

namespace grin {
namespace {

constexpr std::array kOperations{
    MaskOperation{"union", "in one of them at least",
                  [](uint8_t a, uint8_t b) { return static_cast<uint8_t>(a | b); }},
    MaskOperation{"intersect", "in all of them",
                  [](uint8_t a, uint8_t b) { return static_cast<uint8_t>(a & b); }},
    MaskOperation{"subtract", "in the first one and in no other",
                  [](uint8_t a, uint8_t b) { return static_cast<uint8_t>(a & ~b); }},
};

void CheckShapes(const MaskTensor& a, const MaskTensor& b, const std::string& name_a,
                 const std::string& name_b) {
  if (a.shape == b.shape) return;
  BadInput("locate", "{} has {} as {}, {} has it as {}; masks of one model go together", name_a,
           Printable(a.name), FormatShape(a.shape), name_b, FormatShape(b.shape));
}

}  // namespace

std::span<const MaskOperation> MaskOperations() { return kOperations; }

Mask CombineMasks(const MaskOperation& operation, std::span<const Mask> masks,
                  std::span<const std::string> names) {
  std::map<std::string, std::pair<const MaskTensor*, size_t>> covered;  // and by which mask first
  for (size_t i = 0; i < masks.size(); ++i) {
    for (const MaskTensor& tensor : masks[i].tensors()) {
      const auto [found, added] = covered.try_emplace(tensor.name, &tensor, i);
      if (!added) CheckShapes(*found->second.first, tensor, names[found->second.second], names[i]);
    }
  }
  std::vector<MaskTensor> tensors;
  for (const auto& [name, first] : covered) {
    MaskTensor tensor{name, first.first->shape,
                      std::vector<uint8_t>(first.first->bits.size())};
    for (size_t i = 0; i < masks.size(); ++i) {
      const MaskTensor* next = masks[i].Find(name);
      for (size_t byte = 0; byte < tensor.bits.size(); ++byte) {
        const uint8_t bits = next ? next->bits[byte] : 0;
        tensor.bits[byte] = i == 0 ? bits : operation.function(tensor.bits[byte], bits);
      }
    }
    tensors.push_back(std::move(tensor));
  }
  return Mask(std::move(tensors));
}

double MaskOverlap::Counts::chance() const {
  if (entries == 0) return 0;
  return static_cast<double>(a) / static_cast<double>(entries) * static_cast<double>(b);
}

double MaskOverlap::Counts::deviation() const {
  if (entries < 2) return 0;
  const auto n = static_cast<double>(entries);
  const double share = static_cast<double>(a) / n, other = static_cast<double>(b) / n;
  return std::sqrt(n * share * (1 - share) * other * (1 - other) * n / (n - 1));
}

double MaskOverlap::Counts::jaccard() const {
  const int64_t either = a + b - both;
  return either == 0 ? 0 : static_cast<double>(both) / static_cast<double>(either);
}

MaskOverlap OverlapOf(const Mask& a, const Mask& b, const std::string& name_a,
                      const std::string& name_b) {
  MaskOverlap overlap;
  for (const MaskTensor& left : a.tensors()) {
    const MaskTensor* right = b.Find(left.name);
    if (!right) {
      overlap.a_elsewhere += left.count;
      continue;
    }
    CheckShapes(left, *right, name_a, name_b);
    MaskOverlap::Counts counts{.entries = left.size(), .a = left.count, .b = right->count};
    for (size_t byte = 0; byte < left.bits.size(); ++byte) {
      counts.both += std::popcount(static_cast<uint8_t>(left.bits[byte] & right->bits[byte]));
    }
    overlap.total.entries += counts.entries;
    overlap.total.a += counts.a;
    overlap.total.b += counts.b;
    overlap.total.both += counts.both;
    overlap.chance_by_tensor += counts.chance();
    overlap.tensors.push_back({left.name, counts});
  }
  for (const MaskTensor& right : b.tensors()) {
    if (!a.Find(right.name)) overlap.b_elsewhere += right.count;
  }
  return overlap;
}

}  // namespace grin
