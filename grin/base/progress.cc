#include "grin/base/progress.h"

#include <algorithm>
#include <utility>

namespace grin {

Progress::Progress(std::string label, int64_t total)
    : label_(std::move(label)),
      total_(std::max<int64_t>(total, 1)),
      listener_(CurrentListener()) {
  if (listener_ && !listener_->progress) listener_ = nullptr;
  if (listener_) Report({}, false);
}

Progress::~Progress() {
  if (!listener_) return;
  try {
    Report({}, true);
  } catch (...) {  // a callback's exception must not leave a destructor
  }
}

void Progress::Update(int64_t done, std::string_view figures) {
  done_ = std::min(done, total_);
  if (!listener_) return;
  constexpr double kPause = 0.1;
  const double now = clock_.seconds();
  if (now - reported_ < kPause && done_ < total_) return;
  reported_ = now;
  Report(figures, false);
}

void Progress::Report(std::string_view figures, bool over) {
  listener_->progress({.label = label_,
                       .done = done_,
                       .total = total_,
                       .seconds = clock_.seconds(),
                       .figures = figures,
                       .over = over});
}

}  // namespace grin
