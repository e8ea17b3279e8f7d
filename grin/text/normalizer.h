#pragma once
// What is done to a text before it is split: Unicode normal forms, lower case, replacements.

#include <functional>
#include <string>

#include "grin/base/json.h"
#include "grin/text/aligned_text.h"

namespace grin {

using Normalizer = std::function<void(AlignedText&)>;

// The normaliser that a "normalizer" of tokenizer.json describes; does nothing for null. Error (bad
// input) on an unknown type or wrong fields.
Normalizer MakeNormalizer(const Json* description, const std::string& where);

// {"String": "..."} or {"Regex": "..."}.
class Pattern;
Pattern PatternFromJson(const Json& description, const std::string& where);

}  // namespace grin
