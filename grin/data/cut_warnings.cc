#include "grin/data/cut_warnings.h"

#include "grin/base/log.h"

namespace grin {
namespace {

std::string Prefix(const std::string& set) { return set.empty() ? set : set + ": "; }

}  // namespace

void WarnOfCut(int64_t count, size_t all, int64_t longest, const std::string& first,
               const std::string& set) {
  Warn("{}{} of {} sequences are longer than {} tokens and lose their end (the first: {})",
       Prefix(set), count, all, longest, first);
}

void WarnOfLost(int64_t count, int64_t longest, const std::string& first, const std::string& set) {
  Warn(
      "{}{} sequences have no token of their answer within {} tokens and are left out (the first: "
      "{})",
      Prefix(set), count, longest, first);
}

}  // namespace grin
