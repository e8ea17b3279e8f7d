#include "grin/cli/common.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cstdio>
#include <thread>

#include "grin/base/error.h"

namespace grin {

void Require(const std::string& value, const char* flag) {
  if (value.empty()) BadUsage("grin", "{} is required; see --help", flag);
}

void KeepOutputToRank0(const CommonOptions& common, OutputOptions& output) {
  if (!common.ranks->first()) output.out.clear();
}

void SetThreads(int64_t threads, const Ranks& ranks) {
  constexpr int64_t kMost = 512;
  if (threads < 0 || threads > kMost) {
    BadUsage("grin", "--threads is {}; it must be 0 (all cores) to {}", threads, kMost);
  }
  if (threads == 0) {
    threads = std::max<int64_t>(1, std::thread::hardware_concurrency() / ranks.local_world());
    if (!ranks.alone()) {  // on unequal machines the fewest: the number is a setting of the run
      const at::Tensor all = ranks.GatherRows(at::scalar_tensor(threads, at::kLong));
      threads = all.min().item<int64_t>();
    }
  }
  at::set_num_threads(static_cast<int>(threads));
}

void PrintJson(const Json& result) {
  fmt::print("{}\n", result.dump(-1, ' ', false, Json::error_handler_t::replace));
}

void PrintJson(const CommonOptions& common, const Json& result) {
  if (common.json) PrintJson(result);
}

}  // namespace grin
