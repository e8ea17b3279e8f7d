// Selective synaptic dampening (Foster et al. 2024, arXiv 2308.07707; code if-loops/
// selective-synaptic-dampening): weights that matter more than alpha times as much for the forget set
// as for the retain set are made smaller by how much more.

#include <algorithm>

#include "grin/tune/single_edit.h"

namespace grin {
namespace {

constexpr double kAlpha = 10;

double AlphaOf(const LocateOptions& options) {
  return options.threshold > 0 ? options.threshold : kAlpha;
}

LocateOptions WhereForgetMatters(const Model&, const LocateOptions& options) {
  LocateOptions selection = options;
  selection.locate = "ssd";
  selection.threshold = AlphaOf(options);
  return selection;
}

TuneReport Dampen(const MethodInput& input, TuneHooks hooks) {
  return EditOnce(input, std::move(hooks), [&] {
    const at::Tensor forget = SampledStatistic(input, input.task.forget_sequences, "forget");
    const at::Tensor retain = SampledStatistic(input, input.task.retain_sequences, "retain");
    at::Tensor& master = input.trainable.arena().master;
    // F_f / F_r, [n]
    const at::Tensor ratio = FindScoreMethod("ssd").function({.weight = master,
                                                              .forget_gradient = forget,
                                                              .retain_gradient = retain,
                                                              .statistic = StatisticOf(input.locate)});
    const at::Tensor selected = ratio.gt(AlphaOf(input.locate));
    const at::Tensor factor = ratio.reciprocal().mul_(input.options.dampen).clamp_max_(1);
    master.mul_(at::where(selected, factor, at::ones({}, factor.options())));
    return Json{{"dampened", selected.sum().item<int64_t>()}};
  });
}

}  // namespace

const Method kDampening = {.name = "ssd",
                           .formula = "theta *= min(lambda F_r / F_f, 1) where F_f > alpha F_r",
                           .selection = WhereForgetMatters,
                           .run = Dampen};

}  // namespace grin
