#pragma once
// `--scope +embeddings`: of an embedding only the rows of tokens that the data use are scored. The
// others have no gradient but rounding noise, and must not change.

#include <ATen/ATen.h>

#include <vector>

#include "grin/data/sequence.h"
#include "grin/locate/mask.h"

namespace grin {

// The tokens that occur in either set, ascending and each once: int64 [n].
at::Tensor UsedTokens(const std::vector<Sequence>& forget, const std::vector<Sequence>& retain);

// The mask of a whole matrix of `rows_in_all` rows from that of its rows `rows` alone; nothing is
// selected elsewhere.
MaskTensor SpreadRows(const MaskTensor& of_rows, const at::Tensor& rows, int64_t rows_in_all);

}  // namespace grin
