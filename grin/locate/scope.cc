#include "grin/locate/scope.h"

#include <fmt/ranges.h>
#include <fnmatch.h>

#include <algorithm>

#include "grin/base/comma_list.h"
#include "grin/base/error.h"
#include "grin/base/space.h"

namespace grin {
namespace {

bool Matches(const std::string& pattern, const std::string& name) {
  return fnmatch(pattern.c_str(), name.c_str(), FNM_NOESCAPE) == 0;
}

// A few names to show what a pattern is matched against, spread over the model.
std::vector<std::string_view> Samples(std::span<const ScopeCandidate> candidates) {
  constexpr size_t kSamples = 4;
  std::vector<std::string_view> samples;
  const size_t stride = std::max<size_t>(1, candidates.size() / kSamples);
  for (size_t i = 0; i < candidates.size() && samples.size() < kSamples; i += stride) {
    samples.push_back(candidates[i].name);
  }
  return samples;
}

}  // namespace

Scope ParseScope(std::span<const std::string> texts) {
  Scope scope;
  for (const std::string_view text : texts) {
    for (const std::string& part : CommaParts(text)) {
      const std::string_view word = Trimmed(part);
      if (word == "+embeddings") {
        scope.embeddings = true;
      } else if (word.starts_with('+')) {
        BadUsage("locate", "scope '{}' is unknown, expected a name pattern or +embeddings", word);
      } else if (!word.empty()) {
        scope.patterns.emplace_back(word);
      }
    }
  }
  return scope;
}

std::vector<std::string> NamesInScope(const Scope& scope,
                                      std::span<const ScopeCandidate> candidates) {
  std::vector<std::string> names;
  std::vector<bool> matched(scope.patterns.size());
  for (const ScopeCandidate& candidate : candidates) {
    bool selected = scope.patterns.empty() && candidate.is_block_matrix;
    for (size_t i = 0; i < scope.patterns.size(); ++i) {
      if (!Matches(scope.patterns[i], candidate.name)) continue;
      selected = matched[i] = true;
    }
    if (selected) names.push_back(candidate.name);
  }
  const auto unmatched = std::ranges::find(matched, false);
  if (unmatched != matched.end()) {
    BadUsage("locate", "scope '{}' matches none of the {} weights, which are named like {}",
             scope.patterns[unmatched - matched.begin()], candidates.size(),
             fmt::join(Samples(candidates), ", "));
  }
  std::ranges::sort(names);
  return names;
}

}  // namespace grin
