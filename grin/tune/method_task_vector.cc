// Task vectors (Ilharco et al. 2023, arXiv 2212.04089): what teaching the data added to the weights is
// taken back. With --before it is the model's own teaching, with --taught that of another checkpoint,
// with both the difference of the two (as MSA does, arXiv 2506.20941).

#include "grin/tune/single_edit.h"

namespace grin {
namespace {

TuneReport TakeBack(const MethodInput& input, TuneHooks hooks) {
  return EditOnce(input, std::move(hooks), [&] {
    at::Tensor& master = input.trainable.arena().master;
    at::Tensor vector = input.taught ? EntriesOf(*input.taught, input.trainable) : master.clone();
    vector.sub_(input.before ? EntriesOf(*input.before, input.trainable) : master);
    const auto norm = GradientNorm(vector).item<double>();
    master.sub_(vector, input.options.strength);
    return Json{{"vector_norm", norm}};
  });
}

}  // namespace

const Method kTaskVector = {.name = "task-vector",
                            .formula = "theta -= strength (theta_taught - theta_before)",
                            .selection = WholeScope,
                            .uses_checkpoints = true,
                            .run = TakeBack};

}  // namespace grin
