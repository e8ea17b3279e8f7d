#pragma once
// JSON values. Ordered, so that what is read is written back in the order it had.

#include <nlohmann/json.hpp>

namespace grin {

using Json = nlohmann::ordered_json;

}  // namespace grin
