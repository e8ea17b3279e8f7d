#pragma once
// What is to be forgotten and what is to be kept.

#include <vector>

#include "grin/data/encode.h"
#include "grin/data/example.h"
#include "grin/data/sequence.h"

namespace grin {

struct Task {
  std::vector<Example> forget, retain;
  std::vector<Sequence> forget_sequences, retain_sequences;
};

// Encodes both sets. Error (bad input) when they share records, unless `allow_overlap`.
Task MakeTask(const Encoder& encoder, std::vector<Example> forget, std::vector<Example> retain,
              bool allow_overlap);

}  // namespace grin
