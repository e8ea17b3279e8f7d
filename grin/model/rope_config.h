#pragma once
// Rotary settings of config.json: at the top level and in rope_scaling (transformers 4), or
// together in rope_parameters (transformers 5).

#include "grin/base/json_fields.h"
#include "grin/model/config.h"

namespace grin {

// What holds where config.json is silent, and the keys that a family names in its own way.
struct RopeDefaults {
  double theta = 10000.0;
  double rotated_share = 1.0;               // of each head
  std::optional<int64_t> original_context;  // goes before what the scaling itself says
  const char* theta_key = "rope_theta";
  const char* share_key = "partial_rotary_factor";
};

// Reads the settings and lets every layer use them.
void ReadRope(const JsonFields& config, ModelConfig& model, const RopeDefaults& defaults = {});

// The settings in one object (rope_scaling or its like; null for none) and, for what it lacks, at
// the top level of `config`. Error (bad input) for a scaling that is not known.
RopeConfig ReadRopeSettings(const JsonFields& config, const Json* settings,
                            const ModelConfig& model, const RopeDefaults& defaults);

}  // namespace grin
