#include "grin/cli/common.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cstdio>
#include <thread>

#include "grin/base/error.h"

namespace grin {

void Require(const std::string& value, const char* flag) {
  if (value.empty()) BadUsage("grin", "{} is required; see --help", flag);
}

void SetThreads(int64_t threads) {
  constexpr int64_t kMost = 512;
  if (threads < 0 || threads > kMost) {
    BadUsage("grin", "--threads is {}; it must be 0 (all cores) to {}", threads, kMost);
  }
  at::set_num_threads(static_cast<int>(
      threads > 0 ? threads : std::max(1u, std::thread::hardware_concurrency())));
}

void PrintJson(const Json& result) {
  fmt::print("{}\n", result.dump(-1, ' ', false, Json::error_handler_t::replace));
}

void PrintJson(const CommonOptions& common, const Json& result) {
  if (common.json) PrintJson(result);
}

}  // namespace grin
