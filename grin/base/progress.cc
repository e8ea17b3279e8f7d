#include "grin/base/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "grin/base/log.h"

namespace grin {
namespace {

bool line_in_use = false;

}  // namespace

Progress::Progress(std::string label, int64_t total)
    : label_(std::move(label)),
      total_(std::max<int64_t>(total, 1)),
      visible_(isatty(STDERR_FILENO) && !IsQuiet()),
      start_(std::chrono::steady_clock::now()),
      drawn_(start_) {
  if (visible_) Draw({});
}

Progress::~Progress() {
  if (visible_) ClearProgressLine();
}

void Progress::Update(int64_t done, std::string_view figures) {
  done_ = std::min(done, total_);
  if (!visible_) return;
  const auto now = std::chrono::steady_clock::now();
  if (now - drawn_ < std::chrono::milliseconds(100) && done_ < total_) return;
  drawn_ = now;
  Draw(figures);
}

double Progress::seconds() const {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
}

void Progress::Draw(std::string_view figures) {
  constexpr int kWidth = 24;
  const double share = static_cast<double>(done_) / static_cast<double>(total_);
  const int filled = static_cast<int>(share * kWidth);
  const std::string left =
      done_ > 0 ? FormatDuration(seconds() * (1.0 - share) / share) + " left" : "starting";
  fmt::print(stderr, "\r\033[K{} [{}{}] {:3.0f}%  {}{}{}", label_, std::string(filled, '#'),
             std::string(kWidth - filled, '.'), 100.0 * share, left, figures.empty() ? "" : "  ",
             figures);
  std::fflush(stderr);
  line_in_use = true;
}

void ClearProgressLine() {
  if (!line_in_use) return;
  fmt::print(stderr, "\r\033[K");
  std::fflush(stderr);
  line_in_use = false;
}

std::string FormatDuration(double seconds) {
  if (seconds < 10.0) return fmt::format("{:.1f}s", seconds);
  const auto whole = static_cast<int64_t>(seconds + 0.5);
  if (whole < 60) return fmt::format("{}s", whole);
  if (whole < 3600) return fmt::format("{}m {:02}s", whole / 60, whole % 60);
  return fmt::format("{}h {:02}m", whole / 3600, whole % 3600 / 60);
}

}  // namespace grin
