#include "grin/model/cache.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "grin/model/cpu/slot_attention.h"
#include "grin/model/device.h"
#include "grin/model/varlen_attention.h"

namespace grin {

KeyValueCache::KeyValueCache(const ModelConfig& config, int64_t slots, int64_t capacity,
                             at::TensorOptions options)
    : capacity_(capacity), lengths_(slots, 0) {
  for (auto [all, layers] : {std::pair(&all_keys_, &keys_), std::pair(&all_values_, &values_)}) {
    const int64_t heads = config.kv_heads, dim = config.head_dim;
    *all = options.device().is_cpu()
               ? at::zeros({config.layers, slots, heads, capacity, dim}, options)
               : at::zeros({config.layers, slots, capacity, heads, dim}, options).transpose(2, 3);
    *layers = all->unbind(0);
  }
}

int64_t KeyValueCache::SlotBytes(const ModelConfig& config, int64_t capacity, at::ScalarType type) {
  return 2 * config.layers * config.kv_heads * capacity * config.head_dim *
         static_cast<int64_t>(c10::elementSize(type));
}

void KeyValueCache::Move(int64_t from, int64_t to) {
  if (from == to) return;
  for (const at::Tensor& all : {all_keys_, all_values_}) {
    const auto used = [&](int64_t slot) { return all.select(1, slot).narrow(2, 0, lengths_[from]); };
    used(to).copy_(used(from));
  }
  lengths_[to] = lengths_[from];
}

PrefillAttention::PrefillAttention(KeyValueCache& cache, std::vector<int64_t> slots,
                                   std::vector<int64_t> offsets, const ModelConfig& config)
    : cache_(cache),
      slots_(std::move(slots)),
      offsets_(std::move(offsets)),
      layers_(config.layers),
      packed_(Segments(offsets_, cache.all_keys_.device())) {
  const at::Device device = cache.all_keys_.device();
  if (device.is_cpu()) return;
  std::vector<int64_t> slot, position;
  for (size_t s = 0; s < slots_.size(); ++s) {
    for (int64_t i = 0; i < offsets_[s + 1] - offsets_[s]; ++i) {
      slot.push_back(slots_[s]);
      position.push_back(i);
    }
  }
  slot_of_row_ = UploadIndices(slot, device);
  position_of_row_ = UploadIndices(position, device);
}

void PrefillAttention::Store(int64_t layer, const at::Tensor& k, const at::Tensor& v) {
  if (slot_of_row_.defined()) {
    const auto all = at::indexing::Slice();
    cache_.keys_[layer].index_put_({slot_of_row_, all, position_of_row_}, k);
    cache_.values_[layer].index_put_({slot_of_row_, all, position_of_row_}, v);
    return;
  }
  for (size_t s = 0; s < slots_.size(); ++s) {
    const int64_t begin = offsets_[s], length = offsets_[s + 1] - begin;
    const auto store = [&](std::vector<at::Tensor>& part, const at::Tensor& rows) {
      part[layer][slots_[s]]
          .narrow(1, 0, length)
          .copy_(rows.narrow(0, begin, length).transpose(0, 1));
    };
    store(cache_.keys_, k);
    store(cache_.values_, v);
  }
}

at::Tensor PrefillAttention::Attend(int64_t layer, const AttentionSpec& spec, const at::Tensor& q,
                                    const at::Tensor& k, const at::Tensor& v) {
  Store(layer, k, v);
  if (layer + 1 == layers_) {
    for (size_t s = 0; s < slots_.size(); ++s) {
      cache_.lengths_[slots_[s]] = offsets_[s + 1] - offsets_[s];
    }
  }
  return packed_.Attend(layer, spec, q, k, v);
}

StepAttention::StepAttention(KeyValueCache& cache, int64_t active, const ModelConfig& config)
    : cache_(cache), active_(active), layers_(config.layers) {
  const at::Device device = cache.keys_[0].device();
  const std::vector<int64_t> lengths(cache.lengths_.begin(), cache.lengths_.begin() + active);
  longest_ = *std::ranges::max_element(lengths) + 1;
  positions_ = UploadIndices(lengths, device);
  lengths_ = (positions_ + 1).to(at::kInt);
  slots_ = at::arange(active, at::TensorOptions(at::kLong).device(device));
}

const at::Tensor& StepAttention::Hidden(std::optional<int64_t> window) {
  at::Tensor& hidden = hidden_[window];
  if (!hidden.defined()) {
    const at::Tensor key = at::arange(longest_, slots_.options());
    const at::Tensor query = positions_.unsqueeze(1);  // the new token's position, [B, 1]
    at::Tensor seen = key.le(query);                   // [B, longest]
    if (window) seen = seen.logical_and(key.gt(query - *window));
    hidden = seen.logical_not().view({active_, 1, 1, longest_});
  }
  return hidden;
}

at::Tensor StepAttention::Attend(int64_t layer, const AttentionSpec& spec, const at::Tensor& q,
                                 const at::Tensor& k, const at::Tensor& v) {
  AttentionCase of{.device = q.device(),
                   .type = q.scalar_type(),
                   .head_dim = q.size(2),
                   .capped = spec.softcap.has_value()};
  AskCard(of);
  at::Tensor mixed;
  if (k.is_cpu() && HasSlotAttention(k.scalar_type())) {
    mixed = SlotAttention(q, k, v, cache_.keys_[layer], cache_.values_[layer], cache_.lengths_, spec);
  } else if (ChooseAttention(of) == AttentionKernel::kFlash) {
    Store(layer, k, v);
    mixed = FlashStep(spec, q, cache_.keys_[layer].transpose(1, 2),
                      cache_.values_[layer].transpose(1, 2), lengths_, longest_)
                .flatten(1);
  } else {
    mixed = AttendTogether(layer, spec, q, k, v);
  }
  if (layer + 1 == layers_) {
    for (int64_t slot = 0; slot < active_; ++slot) ++cache_.lengths_[slot];
  }
  return mixed;
}

void StepAttention::Store(int64_t layer, const at::Tensor& k, const at::Tensor& v) {
  cache_.keys_[layer].index_put_({slots_, at::indexing::Slice(), positions_}, k);
  cache_.values_[layer].index_put_({slots_, at::indexing::Slice(), positions_}, v);
}

at::Tensor StepAttention::AttendTogether(int64_t layer, const AttentionSpec& spec,
                                         const at::Tensor& q, const at::Tensor& k,
                                         const at::Tensor& v) {
  Store(layer, k, v);
  const at::Tensor keys = cache_.keys_[layer].narrow(0, 0, active_).narrow(2, 0, longest_);
  const at::Tensor values = cache_.values_[layer].narrow(0, 0, active_).narrow(2, 0, longest_);
  // Query heads that share a key head become rows of one small product: [B, kv_heads, group, L].
  const int64_t kv_heads = k.size(1), group = q.size(1) / kv_heads, dim = q.size(2);
  const at::Tensor queries = q.reshape({active_, kv_heads, group, dim});
  at::Tensor scores = at::matmul(queries, keys.transpose(2, 3)).to(at::kFloat).mul_(spec.scale);
  if (spec.softcap) scores.div_(*spec.softcap).tanh_().mul_(*spec.softcap);
  scores.masked_fill_(Hidden(spec.window), -std::numeric_limits<float>::infinity());
  return at::matmul(scores.softmax(-1).to(values.scalar_type()), values)
      .reshape({active_, q.size(1) * dim});
}

}  // namespace grin
