#pragma once
// What engines' answers depend on besides the request.

#include <string>
#include <string_view>

#include "grin/data/encode.h"
#include "grin/io/checkpoint.h"

namespace grin {

// A fingerprint of the program's version, the type that is computed in, the weights (path, size and
// time of their files), the content of the files beside them (config.json, the tokenizer, ...) and
// the rule by which tokens are chosen: those at which generation ends, the repetition penalty and
// what it counts as said.
std::string EngineKey(std::string_view version, std::string_view type, const Checkpoint& checkpoint,
                      const Encoder& encoder);

}  // namespace grin
