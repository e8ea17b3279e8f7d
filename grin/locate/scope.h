#pragma once
// Which weights are scored, and so may be changed at all.

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace grin {

struct Scope {
  std::vector<std::string> patterns;  // empty: the matrices of the blocks' linear layers
  bool embeddings = false;  // "+embeddings": rows of the tokens that the data use, as well
};

// A weight that can be scored.
struct ScopeCandidate {
  std::string name;
  bool is_block_matrix = false;  // a matrix of a linear layer inside a block
};

// From the values of --scope, each a comma-separated list of shell patterns (`*`, `?`, `[...]`)
// over checkpoint names or "+embeddings". Error (usage) for an unknown "+word".
Scope ParseScope(std::span<const std::string> texts);

// Names in scope, sorted. Patterns select every candidate that one of them matches. Error (usage)
// naming a pattern that matches nothing, with a few names that exist.
std::vector<std::string> NamesInScope(const Scope& scope,
                                      std::span<const ScopeCandidate> candidates);

}  // namespace grin
