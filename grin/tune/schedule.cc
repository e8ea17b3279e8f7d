#include "grin/tune/schedule.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "grin/base/table.h"

namespace grin {
namespace {

struct ScheduleRow {
  std::string_view name;
  Schedule value;
};

constexpr std::array kSchedules{ScheduleRow{"linear", Schedule::kLinear},
                                ScheduleRow{"cosine", Schedule::kCosine},
                                ScheduleRow{"constant", Schedule::kConstant}};

}  // namespace

Schedule ParseSchedule(std::string_view text) {
  return FindRow("tune", "schedule", kSchedules, text).value;
}

double ScheduleFactor(Schedule schedule, int64_t step, int64_t warmup, int64_t steps) {
  if (step < warmup) return static_cast<double>(step) / static_cast<double>(warmup);
  const double progress =
      std::min(1.0, static_cast<double>(step - warmup) /
                        static_cast<double>(std::max<int64_t>(1, steps - warmup)));
  switch (schedule) {
    case Schedule::kLinear:
      return 1 - progress;
    case Schedule::kCosine:
      return 0.5 * (1 + std::cos(std::numbers::pi * progress));
    case Schedule::kConstant:
      return 1;
  }
  Defect("tune", "schedule of kind {}", static_cast<int>(schedule));
}

}  // namespace grin
