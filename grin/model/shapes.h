#pragma once
// A model without its numbers: what a config.json makes of it, for plans.

#include <string>

#include "grin/base/json.h"
#include "grin/model/decoder.h"

namespace grin {

// As LoadModel, from `config` alone: every weight has its name and shape, and no memory. Its type is
// `dtype`, and `device` is where it would lie, which need not be there. `where` names the config in
// messages. Error (bad input) as of LoadModel, but for what only a file can lack.
Model LoadShapes(const Json& config, const std::string& where, at::ScalarType dtype,
                 at::Device device = at::kCPU);

// The type that LoadModel computes in where none is named.
at::ScalarType NaturalType(const Checkpoint& checkpoint);

}  // namespace grin
