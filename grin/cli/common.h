#pragma once
// What the subcommands share.

#include <memory>
#include <string>

#include "grin/base/json.h"
#include "grin/ranks/ranks.h"
#include "grin/run/options.h"

namespace grin {

struct CommonOptions {
  std::string config;
  bool json = false;
  int64_t threads = 0;
  bool quiet = false;
  ComputeOptions compute;
  std::shared_ptr<const Ranks> ranks = OneProcess();  // that do this command together

  template <typename Visitor>
  void Visit(Visitor& visit) {
    visit("config", config,
          "TOML file of settings named as these flags, or the grin.json of an earlier run; flags go "
          "before it");
    visit("json", json, "print the result as JSON on stdout");
    visit("threads", threads, "CPU threads; 0: all cores");
    visit("quiet", quiet, "print warnings and errors only");
    compute.Visit(visit);
  }
};

// Error (usage) naming the flag when it is empty.
void Require(const std::string& value, const char* flag);

// Where a command's output goes: nowhere on other ranks than 0.
void KeepOutputToRank0(const CommonOptions& common, OutputOptions& output);

// Sets the number of threads of this process. Error (usage) for one that makes no sense.
// 0: all cores, or with several processes on a machine a fair share of them.
void SetThreads(int64_t threads, const Ranks& ranks = *OneProcess());

// Prints one line of JSON on stdout.
void PrintJson(const Json& result);

// Prints the result of a run as JSON, where --json was given.
void PrintJson(const CommonOptions& common, const Json& result);

}  // namespace grin
