#pragma once
// The parts of an answer that carry the fact (the project's own definition, see docs/metrics.md).

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "grin/data/example.h"
#include "grin/data/sequence.h"

namespace grin {

// Byte ranges of the keywords in the response, ascending. They are the example's `keywords` where it
// has them (each first occurrence), else the content words of the response (letters or digits, no
// stop word) that are in neither the prompt nor the alternatives, compared without case.
// Error (bad input) when a given keyword does not occur in the response.
std::vector<std::pair<int64_t, int64_t>> KeywordSpans(const Example& example);

// Which labels (indices into sequence.labels) make up each keyword of the response. Keywords cut
// off by truncation are left out.
std::vector<std::vector<int64_t>> KeywordLabels(const Example& example, const Sequence& sequence);

// Weight 1 on labels that belong to a keyword, 0 on the others. An answer without keywords keeps
// weight 1 throughout. Returns how many sequences had none.
int64_t WeighKeywords(const std::vector<Example>& examples, std::vector<Sequence>& sequences);

}  // namespace grin
