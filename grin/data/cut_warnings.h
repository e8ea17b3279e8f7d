#pragma once
// What is said of sequences that are longer than a model, or a user, lets them be.

#include <cstdint>
#include <string>

namespace grin {

// "2 of 9 sequences are longer than 512 tokens and lose their end (the first: set.jsonl:3)", behind
// the set's name where it has one.
void WarnOfCut(int64_t count, size_t all, int64_t longest, const std::string& first,
               const std::string& set = "");

// That so many have nothing of their answer left and are left out.
void WarnOfLost(int64_t count, int64_t longest, const std::string& first,
                const std::string& set = "");

}  // namespace grin
