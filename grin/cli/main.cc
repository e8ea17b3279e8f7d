// The command line: parses, dispatches to one file per subcommand, and turns errors into one line
// and an exit code.

#include <c10/util/Exception.h>
#include <c10/util/Logging.h>

#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>

#include "grin/base/error.h"
#include "grin/base/nearest.h"
#include "grin/base/processor.h"
#include "grin/base/version.h"
#include "grin/cli/command.h"
#include "grin/cli/environment.h"
#include "grin/cli/terminal.h"
#include "grin/cli/trace.h"
#include "grin/model/libtorch.h"
#include "grin/ranks/place.h"
#include "grin/ranks/ranks.h"
#include "grin/run/workspace.h"

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
  check("deterministic", compute.deterministic);
  check("reduce", compute.reduce != grin::ComputeOptions().reduce);
}

// The processes that this one does the command with, which have still to meet.
std::shared_ptr<grin::Ranks> RanksOf(const grin::Command& command, const grin::CommonOptions& common,
                                     const std::optional<grin::RankPlace>& place) {
  const grin::SumRule rule = grin::SumRuleOf(common.compute);
  if (!place || command.processes == grin::Processes::kBeside) {
    return std::make_shared<grin::Ranks>(rule);
  }
  if (command.processes == grin::Processes::kOne) {
    grin::BadUsage("ranks", "grin {} is done by one process, and these are {}", command.name, place->world);
  }
  return std::make_shared<grin::Ranks>(*place, rule);
}

// The listener of a process that is not rank 0: nobody reads what it says.
grin::Listener SilentListener() {
  grin::Listener listener;
  listener.cancelled = grin::TerminalListener(/*quiet=*/true).cancelled;
  return listener;
}

int Run(int argc, char** argv, const std::optional<grin::RankPlace>& place,
        std::shared_ptr<grin::Ranks>& ranks) {
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
    if (!place || place->rank == 0) {
      grin::PrintError(std::string(error.what()) +
                       (extra && !unknown.empty() ? Suggest(unknown, known) : "; see --help"));
    }
    return static_cast<int>(grin::ErrorClass::kUsage);
  }
  for (const auto& entry : entries) {
    if (!entry->app->parsed()) continue;
    if (!entry->common.config.empty()) entry->flags->ApplyConfig(entry->common.config);
    RefuseIdleSettings(*entry->command, entry->common.compute);
    grin::CatchInterrupts();
    ranks = RanksOf(*entry->command, entry->common, place);
    ranks->Join();
    entry->common.ranks = ranks;
    grin::SetThreads(entry->common.threads, *ranks);
    grin::Listener listener =
        !place || place->rank == 0 ? grin::TerminalListener(entry->common.quiet) : SilentListener();
    listener.cancelled = [signalled = listener.cancelled, &ranks] {
      return signalled() || ranks->failed();
    };
    const grin::ListenerScope scope(std::move(listener));
    if (place && place->rank > 0 && !std::freopen("/dev/null", "w", stdout)) std::fclose(stdout);
    const grin::Trace trace;
    entry->run();
    ranks->End();
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  c10::initLogging();  // by TORCH_CPP_LOG_LEVEL
  std::optional<grin::RankPlace> place;
  std::shared_ptr<grin::Ranks> ranks;  // null until the command begins
  int code = 0;
  const auto fail = [&](grin::ErrorClass error_class, const std::string& message) {
    grin::Ranks::LastWord word{message, static_cast<int>(error_class)};
    if (ranks) {
      word = ranks->Fail(error_class, message);
    } else if (place && place->rank > 0 && error_class != grin::ErrorClass::kInterrupted) {
      word.message.reset();  // rank 0 has read the same command line
    }
    if (word.message) grin::PrintError(*word.message);
    code = word.code;
  };
  try {
    place = grin::FindRankPlace();
    code = Run(argc, argv, place, ranks);
  } catch (const grin::Error& error) {
    fail(error.error_class(), error.what());
  } catch (const std::bad_alloc&) {
    fail(grin::ErrorClass::kMemory, "out of memory; --memory-budget makes passes smaller");
  } catch (const c10::OutOfMemoryError& error) {
    fail(grin::ErrorClass::kMemory, error.what_without_backtrace());
  } catch (const c10::Error& error) {
    fail(grin::ErrorClass::kInternal, error.what_without_backtrace());
  } catch (const std::filesystem::filesystem_error& error) {  // a path that the system refuses
    fail(grin::ErrorClass::kBadInput,
         fmt::format("[io] {}: {}", error.path1().string(), error.code().message()));
  } catch (const std::exception& error) {
    fail(grin::ErrorClass::kInternal, error.what());
  }
  std::fflush(nullptr);
  // Threads may still wait for a process that will not come.
  if (code != 0 && ranks && !ranks->alone()) _exit(code);
  return code;
}
