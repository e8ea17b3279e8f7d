#include "grin/model/packed_batch.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <utility>

#include "grin/base/error.h"
#include "grin/model/device.h"

namespace grin {

Segments::Segments(std::vector<int64_t> all_offsets, at::Device device)
    : offsets(std::move(all_offsets)) {
  if (rows() > std::numeric_limits<int32_t>::max()) {
    Defect("model", "a pass has {} rows; kernels count them in 32 bits", rows());
  }
  bounds = Upload(at::tensor(offsets, at::kInt), device);
  for (size_t s = 0; s + 1 < offsets.size(); ++s) {
    const int64_t length = offsets[s + 1] - offsets[s];
    longest = std::max(longest, length);
    if (length == 0) continue;
    if (!runs.empty() && runs.back().length == length) {
      ++runs.back().count;
    } else {
      runs.push_back({offsets[s], 1, length});
    }
  }
}

at::Tensor Segments::Lengths() const {
  const at::Tensor lengths = bounds.diff().to(at::kLong);
  return lengths.repeat_interleave(lengths, 0, /*output_size=*/rows());
}

LabelledRows::LabelledRows(std::span<const int64_t> predicted_by,
                           std::span<const int64_t> label_tokens, at::Device device) {
  std::vector<int64_t> by_row(predicted_by.size()), distinct, row_number(predicted_by.size());
  std::iota(by_row.begin(), by_row.end(), int64_t{0});
  std::ranges::stable_sort(by_row, {}, [&](int64_t n) { return predicted_by[n]; });
  for (size_t i = 0; i < by_row.size(); ++i) {
    const int64_t row = predicted_by[by_row[i]];
    if (distinct.empty() || distinct.back() != row) {
      distinct.push_back(row);
      first.push_back(static_cast<int64_t>(i));
    }
    row_number[by_row[i]] = static_cast<int64_t>(distinct.size()) - 1;
  }
  first.push_back(static_cast<int64_t>(by_row.size()));
  rows = UploadIndices(distinct, device);
  tokens = UploadIndices({label_tokens.data(), label_tokens.size()}, device);
  row_of = UploadIndices(row_number, device);
  order = UploadIndices(by_row, device);
}

}  // namespace grin
