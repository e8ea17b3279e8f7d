#include "grin/locate/device_top_k.h"

#include <array>
#include <limits>

#include "grin/model/device.h"

namespace grin {
namespace {

// A key is the signed integer of 32 bits whose order is that of the floats: of a negative one all bits
// but the sign are turned around. The same function leads back. int32, in the shape of `bits`.
at::Tensor Turned(const at::Tensor& bits) {
  return bits.bitwise_xor(bits.bitwise_right_shift(31).bitwise_and(0x7fffffff));
}

at::Tensor KeysOf(const at::Tensor& values, bool absolute) {
  const at::Tensor bits = values.view(at::kInt);
  return absolute ? bits.bitwise_and(0x7fffffff) : Turned(bits);
}

// A key has three digits, found one after the other: 11, 11 and 10 bits.
struct Digit {
  int64_t shift, count, least;  // the first is signed
};
constexpr std::array kDigits{Digit{21, 2048, -1024}, Digit{10, 2048, 0}, Digit{0, 1024, 0}};

// How often each of 0 .. count - 1 is among `numbers`, int32: int64 [count]. Others do not count.
at::Tensor CountEach(const at::Tensor& numbers, int64_t count) {
  if (numbers.is_cuda()) {
    // Twice as many bins as numbers, since the last one takes its upper edge too.
    return at::histc(numbers, 2 * count, 0, 2 * count).narrow(0, 0, count).to(at::kLong);
  }
  const at::Tensor inside = numbers.ge(0).logical_and_(numbers.lt(count));
  return at::bincount(at::where(inside, numbers, count).to(at::kLong), {}, count + 1)
      .narrow(0, 0, count);
}

// The largest value that `wanted` of the values, or of their magnitudes, reach: fp32 []. `wanted` is 1
// or more.
at::Tensor ValueReachedBy(const std::vector<at::Tensor>& values, int64_t wanted, bool absolute) {
  const auto whole = values.front().options().dtype(at::kInt);
  at::Tensor found = at::zeros({}, whole);  // the digits so far
  at::Tensor left = at::full({}, wanted, whole.dtype(at::kLong));
  for (const Digit& digit : kDigits) {
    const at::Tensor least = (found * digit.count + digit.least).to(at::kInt);
    at::Tensor counts = at::zeros({digit.count}, left.options());
    for (const at::Tensor& part : values) {
      const at::Tensor digits = KeysOf(part, absolute).bitwise_right_shift(digit.shift).sub_(least);
      counts.add_(CountEach(digits, digit.count));
    }
    // How many have this digit or a larger one: descending.
    const at::Tensor reaching = counts.flip(0).cumsum(0).flip(0);
    const at::Tensor place = reaching.ge(left).sum() - 1;
    left = left - (reaching - counts).gather(0, place.view({1})).squeeze(0);
    found = (least + place).to(at::kInt);
  }
  return Turned(found.view({1})).view(at::kFloat).squeeze(0);
}

}  // namespace

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

at::Tensor FirstDigitsOnDevice(const at::Tensor& values, bool absolute) {
  const Digit& first = kDigits.front();
  return CountEach(KeysOf(values, absolute).bitwise_right_shift(first.shift).sub_(first.least),
                   first.count);
}

at::Tensor LeastOfFirstDigit(const at::Tensor& digit) {
  const Digit& first = kDigits.front();
  const at::Tensor key = (digit.clamp_min(0) + first.least).to(at::kInt).bitwise_left_shift(first.shift);
  const at::Tensor value = Turned(key.view({1})).view(at::kFloat).squeeze(0);
  return value.masked_fill(value.isnan(), -std::numeric_limits<float>::infinity());
}

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
      const at::Tensor bits = Download(PackBits(selected));
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
