#pragma once
// What the subcommands share.

#include <string>

#include "grin/base/json.h"
#include "grin/run/options.h"

namespace grin {

struct CommonOptions {
  std::string config;
  bool json = false;
  int64_t threads = 0;
  bool quiet = false;
  ComputeOptions compute;

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

// Sets the number of threads of this process. Error (usage) for one that makes no sense.
void SetThreads(int64_t threads);

// Prints one line of JSON on stdout.
void PrintJson(const Json& result);

// Prints the result of a run as JSON, where --json was given.
void PrintJson(const CommonOptions& common, const Json& result);

}  // namespace grin
