// UNDO (arXiv 2506.06278): unlearn, noise, distil on outputs. The unlearned model is --model: its weights
// are shrunk towards noise, and trained on retain text to say what it said.

#include "grin/tune/method.h"
#include "grin/tune/perturb_stage.h"

namespace grin {
namespace {

TuneReport NoiseAndDistil(const MethodInput& input, TuneHooks hooks) {
  LossTerm distil{.name = "distil",
                  .objective = &FindRetainObjective("kl"),
                  .sequences = &input.task.retain_sequences,
                  .per_epoch = true,
                  .guarded = true};
  // Also where the run goes on: the weights that a model is opened with are those of the teacher.
  ComputeReference(input.model, distil, input.pass_tokens);
  if (!hooks.go_on_from) {
    PerturbOptions shrink = input.perturb;
    shrink.perturb = "shrink";
    Perturb(input.model, input.trainable, shrink, input.seed);
  }
  return Tune(input.model, input.trainable, {distil}, input.steps, input.seed, input.pass_tokens, {},
              std::move(hooks));
}

}  // namespace

const Method kUndo = {
    .name = "undo",
    .formula = "theta = (1 - a) theta + a b noise, then KL(p_model || p) on retain text",
    .run = NoiseAndDistil};

}  // namespace grin
