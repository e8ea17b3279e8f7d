#pragma once
// Does a text decline to answer?

#include <string_view>

namespace grin {

// Whether the first 200 characters of an answer hold one of the phrases by which assistants decline
// or say that they do not know (English; the list is in the source). A phrase count, not a
// judgement: it is the usual measure of refusal rates, and misses polite evasion.
bool IsRefusal(std::string_view answer);

}  // namespace grin
