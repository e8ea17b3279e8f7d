#include "grin/run/unlearn_needs.h"

#include "grin/run/budget.h"

namespace grin {

UnlearnNeeds NeedsOf(const Model& model, const Task& task, const UnlearnOptions& options,
                     const LocateOptions& locate, const Mask* mask, bool open_unlearning) {
  const Method& method = FindMethod(options.method.method);
  UnlearnNeeds needs;
  if (model.weights->device().is_cpu()) {
    needs.compared = method.run ? MethodReferenceBytes(model, task, method)
                                : ReferenceBytes(model, task, options.objective, open_unlearning);
  }
  needs.trained = mask ? TrainedBytes(model, *mask) : TrainedBytes(model, locate);
  needs.dense = method.dense_gradients *
                (mask ? MatrixBytes(model, *mask) : ScoreBytes(model, locate) / 2);
  needs.apart = ForgetGradientBytes(mask ? mask->count() : SelectedCount(model, locate),
                                    options.forget_gradient);
  needs.longest = method.run ? LongestOf(task) : LongestUnit(task, options.objective);
  return needs;
}

}  // namespace grin
