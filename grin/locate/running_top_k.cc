#include "grin/locate/running_top_k.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <bit>
#include <limits>

#include "grin/locate/device_top_k.h"
#include "grin/locate/top_k.h"
#include "grin/model/device.h"

namespace grin {
namespace {

// Of the selected candidates, in the order of their entries: the mask keeps the bits of those whose
// key is above `threshold`, and of the first `ties` of those equal to it.
void KeepSelected(MaskTensor& mask, const float* scores, uint32_t threshold, int64_t ties) {
  for (uint8_t& byte : mask.bits) {
    uint8_t left = byte;
    while (left != 0) {
      const auto bit = static_cast<uint8_t>(left & -left);
      left = static_cast<uint8_t>(left & ~bit);
      const uint32_t key = KeyOf(*scores++);
      const bool tie = key == threshold && ties > 0;
      ties -= tie;
      if (key < threshold || (key == threshold && !tie)) byte = static_cast<uint8_t>(byte & ~bit);
    }
  }
}

}  // namespace

at::Tensor RunningTopK::Reach(const at::Tensor& piece) {
  return threshold_ ? piece.gt(*threshold_) : piece.ge(digits_.LeastReachedBy(k_));
}

void RunningTopK::Add(const std::string& name, const at::Tensor& scores) {
  const at::Tensor flat = scores.flatten();
  digits_.Add(name, flat);
  Candidates found{.mask = {name, scores.sizes().vec(), {}}};
  std::vector<at::Tensor> chosen;
  for (int64_t begin = 0; begin < flat.numel(); begin += kDevicePiece) {  // each begins a byte
    const at::Tensor piece = flat.narrow(0, begin, std::min(kDevicePiece, flat.numel() - begin));
    const at::Tensor reached = Reach(piece);
    const at::Tensor bits = Download(PackBits(reached));
    chosen.push_back(Download(piece.masked_select(reached)));
    const auto* bytes = bits.const_data_ptr<uint8_t>();
    found.mask.bits.insert(found.mask.bits.end(), bytes, bytes + bits.numel());
  }
  // A copy: what a download lies in is a card's to reuse.
  found.scores = chosen.empty() ? at::empty({0}, at::kFloat) : at::cat(chosen);
  candidates_.push_back(std::move(found));
}

int64_t RunningTopK::kept() const {
  int64_t count = 0;
  for (const Candidates& candidates : candidates_) count += candidates.scores.numel();
  return count;
}

Mask RunningTopK::Finish() {
  digits_.Counts();  // refuses NaN
  std::ranges::sort(candidates_, {}, [](const Candidates& c) { return c.mask.name; });
  std::vector<ScoreTensor> scores;
  for (const Candidates& candidates : candidates_) {
    scores.push_back({candidates.mask.name, candidates.scores});
  }
  if (!threshold_) {
    const SelectedFrom selected = FindSelected(scores, k_);
    at::parallel_for(0, static_cast<int64_t>(candidates_.size()), 1,
                     [&](int64_t first, int64_t last) {
                       for (int64_t i = first; i < last; ++i) {
                         KeepSelected(candidates_[i].mask, scores[i].values.const_data_ptr<float>(),
                                      selected.threshold, selected.ties[i]);
                       }
                     });
  }
  std::vector<MaskTensor> masks;
  for (Candidates& candidates : candidates_) masks.push_back(std::move(candidates.mask));
  candidates_.clear();
  return Mask(std::move(masks));
}

}  // namespace grin
