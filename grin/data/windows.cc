#include "grin/data/windows.h"

#include <algorithm>

#include "grin/base/error.h"

namespace grin {

std::vector<Sequence> TextWindows(const std::vector<int32_t>& tokens, int64_t context,
                                  int64_t stride) {
  if (stride < 1 || stride > context) {
    BadUsage("eval", "--stride is {}; it must be 1 to {}, the model's context", stride, context);
  }
  const auto total = static_cast<int64_t>(tokens.size());
  std::vector<Sequence> windows;
  int64_t done = 1;  // nothing predicts the first token
  for (int64_t begin = 0; done < total; begin += stride) {
    const int64_t end = std::min(begin + context, total);
    Sequence window;
    window.tokens.assign(tokens.begin() + begin, tokens.begin() + end);
    for (int64_t i = std::max(done, begin + 1); i < end; ++i) {
      window.labels.push_back(static_cast<int32_t>(i - begin));
    }
    window.label_spans.assign(window.labels.size(), {-1, -1});
    window.label_weights.assign(window.labels.size(), 1.0f);
    done = end;
    windows.push_back(std::move(window));
  }
  return windows;
}

}  // namespace grin
