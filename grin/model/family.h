#pragma once
// Families of architectures: how config.json becomes switches, and where the roles of a decoder
// (q, k, v, o, gate, up, down, norms, embedding, head) are found among a checkpoint's tensors. A new
// family is one file and one row in family.cc.

#include <span>
#include <string>
#include <string_view>

#include "grin/model/config.h"

namespace grin {

// Names of one layer's tensors, without ".weight" or ".bias".
struct LayerNames {
  std::string input_norm, q, k, v, o, post_attention_norm, gate, up, down;
};

struct Family {
  std::string_view name;                          // for people
  std::span<const std::string_view> model_types;  // config.json's model_type
  // Fills what is particular to the family; the numbers common to all are already read.
  void (*configure)(const Json& config, std::string_view where, ModelConfig& model);
  LayerNames (*layer)(int64_t index);
  std::string_view embedding, final_norm, head;
};

// The family of a model_type. Error (bad input) that lists the known ones.
const Family& FamilyOf(std::string_view model_type, std::string_view where);

// The family with this name, as ModelConfig::family holds it.
const Family& FamilyNamed(std::string_view name);

}  // namespace grin
