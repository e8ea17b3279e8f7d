#pragma once
// What a model is computed by where nobody says otherwise.

#include <memory>

namespace grin {

class Ranks;

// One process, whose sums have one part. See ranks.h.
std::shared_ptr<const Ranks> OneProcess();

}  // namespace grin
