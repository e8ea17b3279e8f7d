#pragma once
// JSON text as a value whose objects keep the order of their keys, in linear time: ordered objects
// of nlohmann's library look for each new key among all earlier ones.

#include <string_view>

#include "grin/base/json.h"

namespace grin {

// Throws what Json::parse throws. Of a key that occurs twice in an object the last value counts.
Json ParseOrderedTree(std::string_view text);

// Adds a member that `object` does not have yet, without looking.
void AppendMember(Json& object, std::string key, Json value);

}  // namespace grin
