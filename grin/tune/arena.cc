#include "grin/tune/arena.h"

#include <ATen/Dispatch.h>

#include <algorithm>
#include <limits>
#include <tuple>

#include "grin/base/error.h"
#include "grin/model/parallel.h"

namespace grin {
namespace {

// Calls f(j, position) for every selected entry j, in parallel.
template <typename F>
void ForEachSelected(const MaskedParameter& parameter, const F& f) {
  const int64_t count = parameter.master.numel();
  if (!parameter.indices.defined()) {
    ForEachPiece(count, [&](int64_t begin, int64_t end) {
      for (int64_t j = begin; j < end; ++j) f(j, j);
    });
    return;
  }
  AT_DISPATCH_INDEX_TYPES(parameter.indices.scalar_type(), "indices", [&] {
    const index_t* positions = parameter.indices.const_data_ptr<index_t>();
    ForEachPiece(count, [&](int64_t begin, int64_t end) {
      for (int64_t j = begin; j < end; ++j) f(j, static_cast<int64_t>(positions[j]));
    });
  });
}

// What the loops below rely on. The positions are ascending, so only the last one has to be inside
// the tensor.
void CheckSelectionFits(const MaskedParameter& parameter, const at::Tensor& dense) {
  const int64_t count = parameter.master.numel();
  const int64_t needed = !parameter.indices.defined() ? count
                         : count == 0                 ? 0
                                      : parameter.indices[count - 1].item<int64_t>() + 1;
  const bool fits = parameter.indices.defined() ? dense.numel() >= needed : dense.numel() == needed;
  if (!dense.is_cpu() || !dense.is_contiguous() || !fits) {
    Defect("tune",
           "'{}' selects up to position {}, the tensor is {}contiguous on {} with {} entries",
           parameter.name, needed - 1, dense.is_contiguous() ? "" : "not ", dense.device().str(),
           dense.numel());
  }
}

// The rows of `tokens` once each, ascending, with what `rows` adds up to there: [U] and [U, d].
std::pair<at::Tensor, at::Tensor> SumByToken(const at::Tensor& tokens, const at::Tensor& rows) {
  const auto [distinct, inverse, counts] = at::_unique2(tokens, true, true);
  const at::Tensor sums = at::zeros({distinct.numel(), rows.size(1)}, rows.options().dtype(at::kFloat));
  return {distinct, sums.index_add(0, inverse, rows.to(at::kFloat))};
}

}  // namespace

Arena::Arena(const std::vector<Part>& parts, at::Device device) {
  int64_t selected = 0, partly = 0, largest = 0;
  for (const Part& part : parts) {
    selected += part.selected;
    if (part.selected < part.entries) partly += part.selected;
    largest = std::max(largest, part.entries);
  }
  const auto floats = at::TensorOptions(at::kFloat).device(device);
  master = at::zeros({selected}, floats);
  m = at::zeros({selected}, floats);
  v = at::zeros({selected}, floats);
  gradient = at::zeros({selected}, floats);
  const bool narrow = largest <= std::numeric_limits<int32_t>::max();
  indices = at::empty({partly}, floats.dtype(narrow ? at::kInt : at::kLong));
  int64_t begin = 0, begin_indices = 0;
  for (const Part& part : parts) {
    MaskedParameter parameter{.name = part.name,
                              .master = master.narrow(0, begin, part.selected),
                              .gradient = gradient.narrow(0, begin, part.selected)};
    begin += part.selected;
    if (part.selected < part.entries) {
      parameter.indices = indices.narrow(0, begin_indices, part.selected);
      begin_indices += part.selected;
    }
    parameters.push_back(std::move(parameter));
  }
}

void ReadMasters(MaskedParameter& parameter, const at::Tensor& weight) {
  if (!parameter.master.is_cpu()) {
    const at::Tensor flat = weight.flatten();
    const at::Tensor picked = parameter.indices.defined()
                                  ? flat.index_select(0, parameter.indices.to(weight.device()))
                                  : flat;
    parameter.master.copy_(picked);
    return;
  }
  CheckSelectionFits(parameter, weight);
  float* master = parameter.master.mutable_data_ptr<float>();
  AT_DISPATCH_FLOATING_TYPES_AND2(at::kHalf, at::kBFloat16, weight.scalar_type(), "ReadMasters",
                                  [&] {
                                    const scalar_t* values = weight.const_data_ptr<scalar_t>();
                                    ForEachSelected(parameter, [=](int64_t j, int64_t position) {
                                      master[j] = static_cast<float>(values[position]);
                                    });
                                  });
}

void GatherGradient(const at::Tensor& dense, double scale, MaskedParameter& parameter) {
  if (!parameter.gradient.is_cpu()) return plain::GatherGradient(dense, scale, parameter);
  CheckSelectionFits(parameter, dense);
  float* gradient = parameter.gradient.mutable_data_ptr<float>();
  AT_DISPATCH_FLOATING_TYPES_AND2(at::kHalf, at::kBFloat16, dense.scalar_type(), "GatherGradient",
                                  [&] {
                                    const scalar_t* values = dense.const_data_ptr<scalar_t>();
                                    const auto factor = static_cast<float>(scale);
                                    ForEachSelected(parameter, [=](int64_t j, int64_t position) {
                                      gradient[j] += factor * static_cast<float>(values[position]);
                                    });
                                  });
}

void GatherRows(const at::Tensor& tokens, const at::Tensor& rows, MaskedParameter& parameter) {
  if (!parameter.indices.defined() || !parameter.gradient.is_cpu()) {
    return plain::GatherRows(tokens, rows, parameter);
  }
  const int64_t width = rows.size(1);
  const auto [distinct, sums] = SumByToken(tokens, rows);
  const int64_t* token = distinct.const_data_ptr<int64_t>();
  const float* sum = sums.const_data_ptr<float>();
  float* gradient = parameter.gradient.mutable_data_ptr<float>();
  AT_DISPATCH_INDEX_TYPES(parameter.indices.scalar_type(), "GatherRows", [&] {
    const index_t* first = parameter.indices.const_data_ptr<index_t>();
    const index_t* last = first + parameter.indices.numel();
    at::parallel_for(0, distinct.numel(), 16, [&](int64_t begin, int64_t end) {
      for (int64_t u = begin; u < end; ++u) {
        const int64_t row = token[u] * width;  // the row's first position
        for (const index_t* p = std::lower_bound(first, last, row); p < last; ++p) {
          const int64_t column = static_cast<int64_t>(*p) - row;
          if (column >= width) break;
          gradient[p - first] += sum[u * width + column];
        }
      }
    });
  });
}

void WriteBack(const MaskedParameter& parameter, at::Tensor& weight) {
  if (!parameter.master.is_cpu()) return plain::WriteBack(parameter, weight);
  CheckSelectionFits(parameter, weight);
  const float* master = parameter.master.const_data_ptr<float>();
  AT_DISPATCH_FLOATING_TYPES_AND2(at::kHalf, at::kBFloat16, weight.scalar_type(), "WriteBack", [&] {
    scalar_t* values = weight.mutable_data_ptr<scalar_t>();
    ForEachSelected(parameter, [=](int64_t j, int64_t position) {
      values[position] = static_cast<scalar_t>(master[j]);
    });
  });
}

namespace plain {

void GatherGradient(const at::Tensor& dense, double scale, MaskedParameter& parameter) {
  at::Tensor flat = dense.flatten();
  if (parameter.indices.defined()) flat = flat.index_select(0, parameter.indices);
  parameter.gradient.add_(flat.to(at::kFloat), scale);
}

void GatherRows(const at::Tensor& tokens, const at::Tensor& rows, MaskedParameter& parameter) {
  if (tokens.numel() == 0) return;
  const int64_t width = rows.size(1);
  if (tokens.is_cpu() && !parameter.indices.defined()) {
    parameter.gradient.view({-1, width}).index_add_(0, tokens, rows.to(at::kFloat));
    return;
  }
  // What a token's rows add up to lies where it first stands among the sorted tokens, and zeros lie where
  // it stands again: how many different ones there are need not be known. Unlike index_add_, which adds
  // in the order in which a card's threads come, this always adds in the same order.
  const at::Tensor sorted = std::get<0>(tokens.sort());  // [T]
  const at::Tensor sums = at::embedding_dense_backward(
      rows.to(at::kFloat).contiguous(), at::searchsorted(sorted, tokens), tokens.numel(),
      /*padding_idx=*/-1, /*scale_grad_by_freq=*/false);  // [T, d]
  if (!parameter.indices.defined()) {
    parameter.gradient.view({-1, width}).index_add_(0, sorted, sums);
    return;
  }
  const at::Tensor positions = parameter.indices.to(at::kLong);
  const at::Tensor row = positions.floor_divide(width);
  const at::Tensor slot = at::searchsorted(sorted, row).clamp_max(sorted.numel() - 1);
  const at::Tensor hit = sorted.index_select(0, slot).eq(row);
  const at::Tensor value = sums.flatten().index_select(0, slot * width + positions.remainder(width));
  parameter.gradient.add_(value.mul(hit));
}

void WriteBack(const MaskedParameter& parameter, at::Tensor& weight) {
  at::Tensor flat = weight.view(-1);
  const at::Tensor rounded = parameter.master.to(weight.scalar_type());
  if (parameter.indices.defined()) {
    flat.index_copy_(0, parameter.indices.to(at::kLong), rounded);
  } else {
    flat.copy_(rounded);
  }
}

}  // namespace plain
}  // namespace grin
