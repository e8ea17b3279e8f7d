// The command line: parses, dispatches to one file per subcommand, and turns errors into one line
// and an exit code.

#include <c10/util/Exception.h>
#include <c10/util/Logging.h>

#include <cstdio>
#include <filesystem>

#include "grin/base/error.h"
#include "grin/base/nearest.h"
#include "grin/base/processor.h"
#include "grin/base/version.h"
#include "grin/cli/command.h"
#include "grin/cli/environment.h"
#include "grin/cli/terminal.h"
#include "grin/cli/trace.h"
#include "grin/model/libtorch.h"

#ifndef __SANITIZE_ADDRESS__  // which puts its own start there
__attribute__((section(".preinit_array"),
               used)) static void (*const kBeforeConstructors)(int, char**,
                                                               char**) = grin::SetEarlyVariables;
#endif

namespace {

// "--fractoin" -> "; did you mean --fraction?"
std::string Suggest(const std::vector<std::string>& unknown,
                    const std::vector<std::string>& known) {
  for (const std::string& word : unknown) {
    const std::string bare = word.substr(std::min(word.find_first_not_of('-'), word.size()));
    const std::string nearest = grin::Nearest(bare.substr(0, bare.find('=')), known);
    if (!nearest.empty()) {
      return fmt::format("; did you mean {}{}?", word.starts_with("-") ? "--" : "", nearest);
    }
  }
  return "; see --help";
}

// Error (usage) for a setting that the command would pass over without a word.
void RefuseIdleSettings(const grin::Command& command, const grin::ComputeOptions& compute) {
  const auto check = [&](std::string_view name, bool given) {
    if (!given || command.heeds.find(name) != std::string_view::npos) return;
    grin::BadUsage("grin", "--{} says nothing to grin {}; leave it out", name, command.name);
  };
  check("device", compute.device != grin::ComputeOptions().device);
  check("dtype", !compute.dtype.empty());
  check("memory-budget", !compute.memory_budget.empty());
}

int Run(int argc, char** argv) {
  grin::CheckInstructions();
  CLI::App app("GRIN makes a language model forget chosen data and keep everything else.", "grin");
  app.require_subcommand(1);
  app.set_version_flag("--version",
                       [] { return grin::Version() + "; " + grin::DescribeLibTorch(); });
  app.failure_message(CLI::FailureMessage::simple);
  app.get_formatter()->column_width(34);
  app.footer(
      "Each command explains itself: grin COMMAND --help\n"
      "Exit codes: 0 done, 2 wrong usage, 3 bad input, 4 over the memory budget, "
      "5 stopped by a guard, 130 interrupted.");

  struct Entry {
    const grin::Command* command;
    CLI::App* app;
    grin::CommonOptions common;
    std::unique_ptr<grin::Flags> flags;
    std::function<void()> run;
  };
  std::vector<std::unique_ptr<Entry>> entries;
  std::vector<std::string> names;
  for (const grin::Command* command : grin::Commands()) {
    auto entry = std::make_unique<Entry>();
    entry->command = command;
    names.emplace_back(command->name);
    entry->app = app.add_subcommand(std::string(command->name), std::string(command->summary));
    entry->app->footer(std::string(command->examples));
    entry->flags = std::make_unique<grin::Flags>(*entry->app);
    entry->run = command->set_up(*entry->flags, entry->common);
    entry->flags->Bind("Common options", entry->common);
    entries.push_back(std::move(entry));
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
    std::vector<std::string> known = names;
    std::vector<std::string> unknown = app.remaining();
    for (const auto& entry : entries) {
      if (!entry->app->parsed()) continue;
      known = entry->flags->Names();
      unknown = entry->app->remaining();
    }
    if (app.get_subcommands().empty() && argc > 1) unknown = {argv[1]};
    const bool extra =
        dynamic_cast<const CLI::ExtrasError*>(&error) || app.get_subcommands().empty();
    grin::PrintError(std::string(error.what()) +
                     (extra && !unknown.empty() ? Suggest(unknown, known) : "; see --help"));
    return static_cast<int>(grin::ErrorClass::kUsage);
  }
  for (const auto& entry : entries) {
    if (!entry->app->parsed()) continue;
    if (!entry->common.config.empty()) entry->flags->ApplyConfig(entry->common.config);
    RefuseIdleSettings(*entry->command, entry->common.compute);
    grin::SetThreads(entry->common.threads);
    grin::CatchInterrupts();
    const grin::ListenerScope scope(grin::TerminalListener(entry->common.quiet));
    const grin::Trace trace;
    entry->run();
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  c10::initLogging();  // by TORCH_CPP_LOG_LEVEL
  int code = 1;
  try {
    code = Run(argc, argv);
  } catch (const grin::Error& error) {
    grin::PrintError(error.what());
    code = error.exit_code();
  } catch (const std::bad_alloc&) {
    grin::PrintError("out of memory; --memory-budget makes passes smaller");
    code = static_cast<int>(grin::ErrorClass::kMemory);
  } catch (const c10::OutOfMemoryError& error) {
    grin::PrintError(error.what_without_backtrace());
    code = static_cast<int>(grin::ErrorClass::kMemory);
  } catch (const c10::Error& error) {
    grin::PrintError(error.what_without_backtrace());
  } catch (const std::filesystem::filesystem_error& error) {  // a path that the system refuses
    grin::PrintError(fmt::format("[io] {}: {}", error.path1().string(), error.code().message()));
    code = static_cast<int>(grin::ErrorClass::kBadInput);
  } catch (const std::exception& error) {
    grin::PrintError(error.what());
  }
  std::fflush(nullptr);
  return code;
}
