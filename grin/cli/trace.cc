#include "grin/cli/trace.h"

#include <torch/csrc/autograd/profiler_kineto.h>

#include <cstdlib>
#include <exception>
#include <fstream>
#include <set>

#include "grin/base/error.h"
#include "grin/base/log.h"
#include "grin/model/libtorch.h"

namespace grin {

namespace profiler = torch::autograd::profiler;
using torch::profiler::impl::ActivityType;

Trace::Trace() : path_(std::getenv("GRIN_TRACE")) {
  if (path_ && !*path_) path_ = nullptr;
  if (!path_) return;
  if (!std::ofstream(path_)) BadUsage("grin", "GRIN_TRACE={} cannot be written", path_);
  std::set<ActivityType> activities{ActivityType::CPU};
  if (FindCards().count > 0) activities.insert(ActivityType::CUDA);
  const torch::profiler::impl::ProfilerConfig config(torch::profiler::impl::ProfilerState::KINETO,
                                                     /*report_input_shapes=*/true);
  profiler::prepareProfiler(config, activities);
  profiler::enableProfiler(config, activities, {at::RecordScope::FUNCTION});
}

Trace::~Trace() {
  if (!path_) return;
  try {
    profiler::disableProfiler()->save(path_);
  } catch (const std::exception& error) {
    Warn("the trace could not be written to {}: {}", path_, error.what());
  }
}

}  // namespace grin
