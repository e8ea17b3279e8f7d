#pragma once
// Answers that altpo prefers to those that are to be forgotten: from the data, or made up by the
// model before it is tuned.

#include <cstdint>
#include <string>
#include <vector>

#include "grin/data/encode.h"
#include "grin/data/example.h"
#include "grin/model/decoder.h"

namespace grin {

// For each example its alternate answers; a record may have several.
using Alternates = std::vector<std::vector<std::string>>;

// The columns that are looked for, in this order: "alternate, alternate_answer, ...", for help.
// Wrong answers that metrics compare with (perturbed_answer) are taken only where they are asked
// for.
std::string AlternateColumns();

// The column that --alternates names, or the first known one that the first record has; empty where
// the model is to make them up.
std::string FindAlternateColumn(const std::vector<Example>& examples, const std::string& wanted);

// What the column holds. Error (bad input) naming the record where it is missing, blank, or the
// very answer that is to be forgotten.
Alternates ReadAlternates(const std::vector<Example>& examples, const std::string& column);

// One answer each, sampled at temperature 1 from a request for other facts. A sample that is blank
// or the true answer is drawn again, twice at most; an example is then left without one, and a
// warning says how many are. Error (bad input) where none has one.
Alternates MakeAlternates(const Model& model, const Encoder& encoder,
                          const std::vector<Example>& examples, uint64_t seed);

}  // namespace grin
