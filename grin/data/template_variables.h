#pragma once
// What a user sets for a chat template: today's date, whether it thinks, ...

#include <string>

#include "grin/base/json.h"

namespace grin {

// An object of names and values, from "date_string=10 Apr 2025,enable_thinking=false" or from a JSON
// object. In the first form a value is JSON where it can be (false, 3, "text"), else text; one with
// a comma needs the second form. Empty for an empty text. Error (usage) for anything else, and for
// the names that are grin's to set.
Json ParseTemplateVariables(const std::string& text);

}  // namespace grin
