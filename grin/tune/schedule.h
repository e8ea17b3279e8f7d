#pragma once
// Learning-rate schedules, equal to get_*_schedule_with_warmup of transformers.

#include <cstdint>
#include <string_view>

namespace grin {

enum class Schedule {
  kLinear,  // to 0 at the last step
  kCosine,  // half a cosine, to 0
  kConstant,
};

// "linear", "cosine", "constant". Error (usage) for another word.
Schedule ParseSchedule(std::string_view text);

// Factor on the learning rate of optimiser step `step`, counted from 0, of `steps` in all. The
// first `warmup` steps rise linearly from 0: step 0 has factor 0 where there is a warm-up, step
// `warmup` factor 1.
double ScheduleFactor(Schedule schedule, int64_t step, int64_t warmup, int64_t steps);

}  // namespace grin
