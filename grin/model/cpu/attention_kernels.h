#pragma once
// One query over the rows of one head's keys and values, as a step of generation needs it.

#include <cstdint>

namespace grin {

// mixed [dim] = the values, weighted by the softmax of scale * (query . key), capped unless the cap
// is 0. Keys and values are [count, dim], contiguous, fp32 or bf16; sums are in fp32. `next`, of
// the same type, is what will be read after the values: the processor foresees a stream, but not
// that the next one begins elsewhere.
struct AttendedRows {
  const float* query = nullptr;
  const void* keys = nullptr;
  const void* values = nullptr;
  const void* next = nullptr;
  bool is_bfloat16 = false;
  int64_t count = 0, dim = 0;
  float scale = 1, cap = 0;
  float* scores = nullptr;  // room for `count` numbers
  float* mixed = nullptr;
};

void AttendRows(const AttendedRows& rows);
void PlainAttendRows(const AttendedRows& rows);

}  // namespace grin
