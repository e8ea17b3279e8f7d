#pragma once
// Weights through a number format of few bits and back.

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "grin/model/decoder.h"

namespace grin {

struct RoundingType {
  std::string_view name;  // in --round-types
  std::string_view like;  // whose rounding it is, for people
  int64_t block;          // values that share a scale
  bool within_rows;       // blocks end at the end of a row, so rows must hold whole ones
  bool embeddings;        // whether embedding and head are rounded as well, or the layers' matrices
  // Replaces the values by what is left of them, and gives each one's code. A last block may be
  // shorter where blocks do not keep to rows.
  void (*round)(std::span<float> values, std::span<uint8_t> codes);
};

std::span<const RoundingType> RoundingTypes();

// Error (usage) that names the nearest.
const RoundingType& FindRoundingType(std::string_view name);

// A matrix [out, in] that is rounded; `transposed`: stored as [in, out].
struct RoundedMatrix {
  std::string name;
  bool transposed = false;
};

// The matrices of a model that the type rounds, each once. Those whose rows do not hold whole
// blocks are left out.
std::vector<RoundedMatrix> MatricesToRound(const Model& model, const RoundingType& type);

// The stored values of a matrix, fp32, [out, in] row-major, through the format and back; and the
// codes.
struct RoundedValues {
  std::vector<float> stored, values;
  std::vector<uint8_t> codes;
};
RoundedValues RoundMatrix(const Checkpoint& checkpoint, const RoundedMatrix& matrix,
                          const RoundingType& type);

}  // namespace grin
