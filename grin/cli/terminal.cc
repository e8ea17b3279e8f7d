#include "grin/cli/terminal.h"

#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <mutex>
#include <string>

#include "grin/base/stopwatch.h"

namespace grin {
namespace {

std::atomic<int> interrupted = 0;
static_assert(std::atomic<int>::is_always_lock_free, "a signal handler may take no lock");

extern "C" void OnSignal(int signal) {
  if (interrupted.exchange(signal) != 0) _exit(128 + signal);
}

// Work on several threads speaks at the same time.
std::mutex stderr_mutex;
bool bar_on_line = false;  // under stderr_mutex

// A stderr that cannot be written, say a file on a full disk, is no reason to end a run.
template <typename... Args>
void WriteToStderr(fmt::format_string<Args...> format, Args&&... args) {
  const std::string text = fmt::format(format, std::forward<Args>(args)...);
  std::fwrite(text.data(), 1, text.size(), stderr);
}

void ClearBar() {
  if (!bar_on_line) return;
  WriteToStderr("\r\033[K");
  bar_on_line = false;
}

void PrintLine(std::string_view mark, std::string_view message) {
  const std::lock_guard lock(stderr_mutex);
  ClearBar();
  WriteToStderr("{}{}\n", mark, message);
  std::fflush(stderr);
}

void DrawBar(const ProgressReport& report) {
  const std::lock_guard lock(stderr_mutex);
  ClearBar();
  if (!report.over) {
    constexpr int kWidth = 24;
    const double share = static_cast<double>(report.done) / static_cast<double>(report.total);
    const int filled = static_cast<int>(share * kWidth);
    const std::string left =
        report.done > 0 ? FormatDuration(report.seconds * (1.0 - share) / share) + " left"
                        : "starting";
    WriteToStderr("{} [{}{}] {:3.0f}%  {}{}{}", report.label, std::string(filled, '#'),
                  std::string(kWidth - filled, '.'), 100.0 * share, left,
                  report.figures.empty() ? "" : "  ", report.figures);
    bar_on_line = true;
  }
  std::fflush(stderr);
}

}  // namespace

Listener TerminalListener(bool quiet) {
  Listener listener;
  listener.log = [quiet](LogLevel level, std::string_view message) {
    if (level == LogLevel::kWarning) {
      PrintLine("warning: ", message);
    } else if (!quiet) {
      PrintLine("", message);
    }
  };
  if (!quiet && isatty(STDERR_FILENO)) listener.progress = DrawBar;
  listener.cancelled = [] { return interrupted != 0; };
  return listener;
}

void CatchInterrupts() {
  struct sigaction action {};
  action.sa_handler = OnSignal;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

void PrintError(std::string_view message) { PrintLine("error: ", message); }

}  // namespace grin
