// Makes a model forget with the library alone: unlearn MODEL FORGET RETAIN OUT [STEPS]
// MODEL is a checkpoint directory, FORGET and RETAIN are files of questions and answers.

#include <grin/base/error.h>
#include <grin/run/unlearn.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <iostream>

namespace {

std::atomic<bool> stop = false;

// The library asks between two steps whether to go on, and says what it does.
grin::Listener MakeListener() {
  std::signal(SIGINT, [](int) { stop = true; });
  return {.log =
              [](grin::LogLevel level, std::string_view message) {
                std::cerr << (level == grin::LogLevel::kWarning ? "warning: " : "") << message
                          << '\n';
              },
          .progress =
              [](const grin::ProgressReport& report) {
                std::cerr << report.label << ' ' << report.done << '/' << report.total << ' '
                          << report.figures << '\n';
              },
          .cancelled = [] { return stop.load(); }};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5) {
    std::cerr << "usage: " << argv[0] << " MODEL FORGET RETAIN OUT [STEPS]\n";
    return 2;
  }
  const grin::ListenerScope scope(MakeListener());
  try {
    grin::Workspace workspace = grin::OpenWorkspace({.model = {argv[1]}});
    const grin::LoadedTask task =
        grin::LoadTask(workspace, {.forget = argv[2], .retain = argv[3]});
    grin::UnlearnOptions options{.output = {.out = argv[4]}};
    if (argc > 5) options.steps.steps = std::atoll(argv[5]);
    const grin::UnlearnResult result = grin::Unlearn(workspace, task, options);
    std::cout << result.mask.count() << " weights selected, the state after step "
              << result.tuned.kept_step << " is in " << argv[4] << '\n';
    return result.tuned.guard.empty() ? 0 : 5;
  } catch (const grin::Error& error) {
    std::cerr << "error: " << error.what() << '\n';
    return error.exit_code();
  }
}
