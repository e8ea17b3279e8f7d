#include "grin/locate/used_rows.h"

#include <set>

namespace grin {

at::Tensor UsedTokens(const std::vector<Sequence>& forget, const std::vector<Sequence>& retain) {
  std::set<int64_t> used;
  for (const auto* set : {&forget, &retain}) {
    for (const Sequence& sequence : *set) {
      used.insert(sequence.tokens.begin(), sequence.tokens.end());
    }
  }
  return at::tensor(std::vector<int64_t>(used.begin(), used.end()), at::kLong);
}

MaskTensor SpreadRows(const MaskTensor& of_rows, const at::Tensor& rows, int64_t rows_in_all) {
  const int64_t width = of_rows.shape[1];
  MaskTensor whole{of_rows.name, {rows_in_all, width}, {}};
  whole.bits.resize((whole.size() + 7) / 8);
  const int64_t* row = rows.const_data_ptr<int64_t>();
  for (int64_t i = 0; i < rows.numel(); ++i) {
    for (int64_t column = 0; column < width; ++column) {
      const int64_t position = row[i] * width + column;
      const auto bit = static_cast<uint8_t>(of_rows.Has(i * width + column));
      whole.bits[position >> 3] |= static_cast<uint8_t>(bit << (position & 7));
    }
  }
  return whole;
}

}  // namespace grin
