#pragma once
// Which rows a loss counts, and each sequence's share in a step's mean: of the objectives' own
// form, and of OpenUnlearning's.

#include <cstdint>
#include <span>
#include <vector>

#include "grin/data/sequence.h"
#include "grin/tune/loss_term.h"

namespace grin {

// Sequences whose labels stand for the rows that count. `padding` is what fills them up to the
// longest (Rows::kAll and kAllButLast), and is hidden from attention wherever it stands.
// `vocabulary` is V. Error (bad input) for a vocabulary below 100 where the token V - 100 is
// needed.
std::vector<Sequence> CountRows(const std::vector<Sequence>& sequences, Counting::Rows rows,
                                int32_t padding, int64_t vocabulary);

// Whether CountRows fills sequences up.
bool CountsPadding(Counting::Rows rows);

// What a step sees of a term.
struct StepUnits {
  std::vector<std::vector<const Sequence*>> sequences;  // of each unit, one or a pair
  std::vector<double> shares;                           // of each unit in the mean
  std::vector<Sequence>
      cut;  // where padding counts: sequences as long as the longest of their batch
};

// The units `drawn` of a term for a model of that width.
StepUnits UnitsOfStep(const LossTerm& term, std::span<const int64_t> drawn, int64_t width);

}  // namespace grin
