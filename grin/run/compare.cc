#include "grin/run/compare.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "grin/base/error.h"
#include "grin/base/progress.h"

namespace grin {
namespace {

double ElementAt(std::span<const std::byte> bytes, DType dtype, int64_t position) {
  double value = 0;
  ConvertFloats(dtype, bytes.subspan(position * DTypeSize(dtype), DTypeSize(dtype)), DType::kF64,
                std::as_writable_bytes(std::span(&value, 1)));
  return value;
}

}  // namespace

void CheckSameTensors(const Checkpoint& a, const Checkpoint& b) {
  for (const auto* pair : {&a, &b}) {
    const Checkpoint& other = pair == &a ? b : a;
    for (const TensorInfo& info : pair->tensors()) {
      const TensorInfo* found = other.Find(info.name);
      if (!found) {
        BadInput("diff", "tensor {} of {} is missing in {}", info.name, pair->path().string(),
                 other.path().string());
      }
      if (found->dtype != info.dtype || found->shape != info.shape) {
        BadInput("diff", "tensor {} is {} {} in {} and {} {} in {}", info.name,
                 DTypeName(info.dtype), FormatShape(info.shape), pair->path().string(),
                 DTypeName(found->dtype), FormatShape(found->shape), other.path().string());
      }
    }
  }
}

Comparison CompareCheckpoints(const Checkpoint& a, const Checkpoint& b, const Mask* mask) {
  CheckSameTensors(a, b);
  Comparison result;
  Progress progress("diff", static_cast<int64_t>(a.tensors().size()));
  for (const TensorInfo& info : a.tensors()) {
    const TensorBytes left = a.Read(info.name), right = b.Read(info.name);
    const MaskTensor* selected = mask ? mask->Find(info.name) : nullptr;
    if (selected && selected->size() != info.elements()) {
      BadInput("diff", "the mask has {} as {}, {} has it as {}", info.name,
               FormatShape(selected->shape), a.path().string(), FormatShape(info.shape));
    }
    int64_t changed = 0;
    ForEachDifference(left.bytes, right.bytes, DTypeSize(info.dtype), [&](int64_t position) {
      ++changed;
      if (mask && !(selected && selected->Has(position))) ++result.outside_mask;
      if (IsFloat(info.dtype)) {
        const double difference = std::abs(ElementAt(left.bytes, info.dtype, position) -
                                           ElementAt(right.bytes, info.dtype, position));
        if (!(difference <= result.max_abs)) result.max_abs = difference;
      }
    });
    ++result.tensors;
    result.weights += info.elements();
    result.changed += changed;
    if (changed > 0) result.changed_by_tensor[info.name] = changed;
    progress.Add(1);
  }
  return result;
}

}  // namespace grin
