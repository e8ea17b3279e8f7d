// Per-parameter task arithmetic (arXiv 2601.22030): the way from the checkpoint before the data to the
// model is gone back, each weight by how much more it matters for the forget set.

#include "grin/tune/single_edit.h"

namespace grin {
namespace {

LocateOptions ByShare(const Model& model, const LocateOptions& options) {
  LocateOptions selection = WholeScope(model, options);
  if (options.statistic == "auto") selection.statistic = "rms";
  return selection;
}

TuneReport TakeBackByShare(const MethodInput& input, TuneHooks hooks) {
  return EditOnce(input, std::move(hooks), [&] {
    at::Tensor& master = input.trainable.arena().master;
    const at::Tensor before = EntriesOf(*input.before, input.trainable);
    const at::Tensor forget = SampledStatistic(input, input.task.forget_sequences, "forget");
    const at::Tensor retain = SampledStatistic(input, input.task.retain_sequences, "retain");
    // F_f / (F_f + a F_r), [n]
    const at::Tensor share =
        FindScoreMethod("perta").function({.weight = master,
                                           .forget_gradient = forget,
                                           .retain_gradient = retain,
                                           .statistic = StatisticOf(input.locate),
                                           .retain_weight = input.locate.retain_weight});
    const double mean = share.mean().item<double>();
    master.addcmul_(share, master - before, -input.options.strength);
    return Json{{"mean_share", mean}};
  });
}

}  // namespace

const Method kPerParameterArithmetic = {
    .name = "perta",
    .formula = "theta -= strength F_f / (F_f + a F_r) (theta - theta_before)",
    .selection = ByShare,
    .uses_checkpoints = true,
    .run = TakeBackByShare};

}  // namespace grin
