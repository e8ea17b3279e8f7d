#include "grin/text/split_behavior.h"

#include <algorithm>

#include "grin/base/error.h"

namespace grin {
namespace {

struct Segment {
  size_t begin;
  size_t end;
  bool is_delimiter;
};

std::vector<Segment> Segments(const std::vector<AlignedText::Match>& matches, size_t size,
                              bool invert) {
  std::vector<Segment> segments;
  segments.reserve(matches.size() * 2 + 1);
  size_t done = 0;
  for (const auto& [begin, end] : matches) {
    if (begin != done) segments.push_back({done, begin, invert});
    segments.push_back({begin, end, !invert});
    done = end;
  }
  if (done != size) segments.push_back({done, size, invert});
  return segments;
}

// Joins each delimiter that does not follow another one to the segment before it; with `all`,
// neighbours of the same kind instead.
void Join(const std::vector<Segment>& segments, bool all, std::vector<Segment>& joined) {
  bool previous = false;
  for (const Segment& segment : segments) {
    const bool joins = all ? segment.is_delimiter == previous : segment.is_delimiter && !previous;
    if (joins && !joined.empty()) {
      joined.back().begin = std::min(joined.back().begin, segment.begin);
      joined.back().end = std::max(joined.back().end, segment.end);
    } else {
      joined.push_back(segment);
    }
    previous = segment.is_delimiter;
  }
}

}  // namespace

SplitBehavior BehaviorFromJson(const JsonFields& fields, std::string_view field) {
  const std::string& name = fields.String(field);
  if (name == "Removed") return SplitBehavior::kRemoved;
  if (name == "Isolated") return SplitBehavior::kIsolated;
  if (name == "MergedWithPrevious") return SplitBehavior::kMergedWithPrevious;
  if (name == "MergedWithNext") return SplitBehavior::kMergedWithNext;
  if (name == "Contiguous") return SplitBehavior::kContiguous;
  BadInput(
      "text",
      "{} is '{}', expected Removed, Isolated, MergedWithPrevious, MergedWithNext or Contiguous",
      fields.WhereOf(field), name);
}

void SplitAround(const std::vector<AlignedText::Match>& matches, size_t size,
                 SplitBehavior behavior, bool invert, std::vector<Piece>& parts) {
  std::vector<Segment> segments = Segments(matches, size, invert);
  std::vector<Segment> joined;
  switch (behavior) {
    case SplitBehavior::kIsolated:
      break;
    case SplitBehavior::kRemoved:
      std::erase_if(segments, [](const Segment& segment) { return segment.is_delimiter; });
      break;
    case SplitBehavior::kContiguous:
    case SplitBehavior::kMergedWithPrevious:
      Join(segments, behavior == SplitBehavior::kContiguous, joined);
      segments.swap(joined);
      break;
    case SplitBehavior::kMergedWithNext:
      std::reverse(segments.begin(), segments.end());
      Join(segments, false, joined);
      std::reverse(joined.begin(), joined.end());
      segments.swap(joined);
      break;
  }
  for (const Segment& segment : segments) parts.push_back({0, segment.begin, segment.end});
}

}  // namespace grin
