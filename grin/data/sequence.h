#pragma once
// Token ids of an example with the labels that are scored.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace grin {

struct Sequence {
  std::vector<int32_t> tokens;
  std::vector<int32_t> labels;  // ascending positions in tokens, each > 0, that are predicted
  // Bytes of the response that each label stands for; {-1, -1} for the end token.
  std::vector<std::pair<int64_t, int64_t>> label_spans;
  std::vector<float> label_weights;  // weight in an objective; 1 unless changed
  // What the rows before the labels are to predict, one for each label; empty: the labels' tokens.
  std::vector<int32_t> targets;
  std::string where;                 // the record it came from
  int64_t example = 0;               // its index in the data set
  bool truncated = false;
  int64_t unread = 0;  // so many last tokens are predicted only and not given to the model
  // Its keys are hidden from attention, wherever it stands; -1 where there is none.
  int32_t unseen_token = -1;
  int64_t filled_from = 0;  // tokens from here on are padding; 0: there is none

  int64_t length() const { return static_cast<int64_t>(tokens.size()); }
};

}  // namespace grin
