#pragma once
// A subcommand: one file each, one row in commands.cc.

#include <functional>
#include <span>
#include <string_view>

#include "grin/cli/common.h"
#include "grin/cli/flags.h"

namespace grin {

// What several processes that were started for a command do.
enum class Processes {
  kOne,       // they are refused
  kTogether,  // one run, which they share out
  kBeside,    // each for itself: the command has its own ways to share work
};

struct Command {
  std::string_view name;
  std::string_view summary;   // one line
  std::string_view examples;  // shown at the end of --help
  // Binds the command's own options and returns what runs it. The options hold their values when it runs.
  std::function<void()> (*set_up)(Flags& flags, const CommonOptions& common);
  // Which settings of how to compute mean something to it; others are refused.
  std::string_view heeds = "device dtype memory-budget deterministic reduce";
  Processes processes = Processes::kOne;
};

std::span<const Command* const> Commands();

}  // namespace grin
