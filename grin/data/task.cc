#include "grin/data/task.h"

namespace grin {

Task MakeTask(const Encoder& encoder, std::vector<Example> forget, std::vector<Example> retain,
              bool allow_overlap) {
  if (!allow_overlap) RefuseOverlap(forget, retain);
  Task task;
  task.forget_sequences = encoder.EncodeAll(forget);
  task.retain_sequences = encoder.EncodeAll(retain);
  task.forget = std::move(forget);
  task.retain = std::move(retain);
  return task;
}

}  // namespace grin
