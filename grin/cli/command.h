#pragma once
// A subcommand: one file each, one row in commands.cc.

#include <functional>
#include <span>
#include <string_view>

#include "grin/cli/common.h"
#include "grin/cli/flags.h"

namespace grin {

struct Command {
  std::string_view name;
  std::string_view summary;   // one line
  std::string_view examples;  // shown at the end of --help
  // Binds the command's own options and returns what runs it. The options hold their values when it runs.
  std::function<void()> (*set_up)(Flags& flags, const CommonOptions& common);
  // Which of --device, --dtype and --memory-budget mean something to it; others are refused.
  std::string_view heeds = "device dtype memory-budget";
};

std::span<const Command* const> Commands();

}  // namespace grin
