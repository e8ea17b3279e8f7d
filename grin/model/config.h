#pragma once
// What config.json says about a model, as switches of the one decoder function.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "grin/base/json.h"

namespace grin {

// How rotary frequencies are stretched for contexts longer than the pre-training's.
struct RopeScaling {
  enum class Kind { kNone, kLinear, kLlama3 };
  Kind kind = Kind::kNone;
  double factor = 1.0;
  double low_frequency_factor = 1.0;   // llama3
  double high_frequency_factor = 4.0;  // llama3
  int64_t original_context = 8192;     // llama3
};

enum class Activation { kSilu, kGelu, kGeluTanh, kRelu };

struct ModelConfig {
  std::string family;  // the row of the family table that read this
  int64_t layers = 0;
  int64_t hidden = 0;
  int64_t intermediate = 0;
  int64_t heads = 0;
  int64_t kv_heads = 0;
  int64_t head_dim = 0;
  int64_t vocabulary = 0;
  int64_t context = 0;  // longest sequence the model was made for
  double norm_epsilon = 1e-5;
  double rope_theta = 10000.0;
  RopeScaling rope_scaling;
  std::optional<int64_t> sliding_window;  // a token sees itself and the window - 1 before it
  Activation activation = Activation::kSilu;
  bool attention_bias = false;
  bool mlp_bias = false;
  bool tied_embeddings = false;
  std::vector<int32_t> end_tokens;  // eos_token_id, one or several
};

// Reads config.json. `where` names the file in errors. Error (bad input): an architecture that no
// family knows (the known ones are listed), a missing or impossible number, a feature that is not
// supported (each named).
ModelConfig ParseModelConfig(const Json& config, std::string_view where);

}  // namespace grin
