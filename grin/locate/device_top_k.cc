#include "grin/locate/device_top_k.h"

#include <limits>

namespace grin {
namespace {

// Keys are unsigned integers of 32 bits in the order of the floats they stand for, see top_k.cc; here
// they are int64 [], since few operators know unsigned ones.
constexpr int64_t kSignBit = int64_t{1} << 31, kAllBits = (int64_t{1} << 32) - 1;
constexpr int64_t kKeyOfMinusInfinity = 0x007fffff;

// fp32 [] of a key. Below that of -infinity there are no numbers: what stands there is reached by all.
// Above that of infinity there are none either: NaN, which nothing reaches.
at::Tensor FloatOfKey(const at::Tensor& key) {
  const at::Tensor bits = at::where(key.ge(kSignBit), key - kSignBit, kAllBits - key);
  const at::Tensor as_signed = at::where(bits.ge(kSignBit), bits - (kAllBits + 1), bits).to(at::kInt);
  const at::Tensor value = as_signed.unsqueeze(0).view(at::kFloat).squeeze(0);
  return value.masked_fill(key.lt(kKeyOfMinusInfinity), -std::numeric_limits<float>::infinity());
}

// The largest value that `wanted` of the values, or of their magnitudes, reach: fp32 []. `wanted` is 1
// or more.
at::Tensor ValueReachedBy(const std::vector<at::Tensor>& values, int64_t wanted, bool absolute) {
  at::Tensor key = at::zeros({}, values.front().options().dtype(at::kLong));
  for (int bit = 31; bit >= 0; --bit) {
    const at::Tensor candidate = key + (int64_t{1} << bit);
    const at::Tensor threshold = FloatOfKey(candidate);
    at::Tensor reaching = at::zeros({}, key.options());
    for (const at::Tensor& part : values) {
      reaching.add_((absolute ? part.abs() : part).ge(threshold).sum());
    }
    key = at::where(reaching.ge(wanted), candidate, key);
  }
  return FloatOfKey(key);
}

// bool [n] -> uint8 [ceil(n / 8)], lowest bit first.
at::Tensor PackBits(const at::Tensor& selected) {
  const int64_t size = selected.numel(), missing = (8 - size % 8) % 8;
  at::Tensor bits = selected.to(at::kByte);
  if (missing > 0) bits = at::cat({bits, at::zeros({missing}, bits.options())});
  const at::Tensor places =
      at::full({8}, 2, bits.options().dtype(at::kLong))
          .pow(at::arange(8, bits.options().dtype(at::kLong)))
          .to(at::kByte);
  return bits.view({-1, 8}).mul(places).sum(1, /*keepdim=*/false, at::kByte);
}

}  // namespace

std::vector<int64_t> CountNaNsOnDevice(const std::vector<ScoreTensor>& tensors) {
  if (tensors.empty()) return {};
  std::vector<at::Tensor> counts;
  for (const ScoreTensor& tensor : tensors) counts.push_back(tensor.values.isnan().sum());
  const at::Tensor host = at::stack(counts).cpu();
  const auto* data = host.const_data_ptr<int64_t>();
  return {data, data + host.numel()};
}

std::vector<MaskTensor> SelectOnDevice(const std::vector<const ScoreTensor*>& ordered, int64_t k) {
  std::vector<at::Tensor> values;
  for (const ScoreTensor* tensor : ordered) values.push_back(tensor->values.flatten());
  const bool none = k == 0;
  at::Tensor threshold, ties;  // how many of those equal to the threshold are still to be taken
  if (!none) {
    threshold = ValueReachedBy(values, k, /*absolute=*/false);
    ties = at::full({}, k, threshold.options().dtype(at::kLong));
    for (const at::Tensor& part : values) ties.sub_(part.gt(threshold).sum());
  }
  std::vector<MaskTensor> masks;
  for (size_t i = 0; i < ordered.size(); ++i) {
    const at::Tensor& part = values[i];
    MaskTensor mask{ordered[i]->name, ordered[i]->values.sizes().vec(),
                    std::vector<uint8_t>((part.numel() + 7) / 8)};
    if (!none && part.numel() > 0) {
      const at::Tensor tie = part.eq(threshold);
      const at::Tensor rank = tie.cumsum(0, at::kInt);  // from 1
      const at::Tensor selected = part.gt(threshold).logical_or_(tie.logical_and(rank.le(ties)));
      ties = (ties - tie.sum()).clamp_min(0);
      const at::Tensor bits = PackBits(selected).cpu();
      const auto* data = bits.const_data_ptr<uint8_t>();
      mask.bits.assign(data, data + bits.numel());
    }
    masks.push_back(std::move(mask));
  }
  return masks;
}

float ValueOfRankOnDevice(const std::vector<ScoreTensor>& tensors, int64_t rank, bool absolute) {
  std::vector<at::Tensor> values;
  int64_t total = 0;
  for (const ScoreTensor& tensor : tensors) {
    const at::Tensor flat = tensor.values.flatten();
    values.push_back(flat);
    total += flat.numel();
  }
  return ValueReachedBy(values, total - rank, absolute).item<float>();
}

}  // namespace grin
