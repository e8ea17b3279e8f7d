#pragma once
// Relearning, rehearsed while unlearning (MUDMAN, arXiv 2506.12484): an adversary, a copy of the
// selected weights, learns the forget set anew; the forget gradient is taken where it stands and
// applied to the model.

#include <ATen/ATen.h>

#include <cstdint>
#include <limits>

#include "grin/model/decoder.h"
#include "grin/tune/draw.h"
#include "grin/tune/gather_sink.h"
#include "grin/tune/loss_term.h"
#include "grin/tune/surgery.h"
#include "grin/tune/trainable.h"

namespace grin {

// What becomes of the forget gradient before a step.
struct ForgetGradientOptions {
  std::string surgery = "none";
  int64_t rehearse = 0;
  double rehearse_lr = 0.1;
  int64_t rehearse_every = 1;

  bool apart() const { return surgery != "none" || rehearse > 0; }

  template <typename Visitor>
  void Visit(Visitor& visit) {
    visit("surgery", surgery,
          "of the forget gradient where it meets the retain gradient, on the selected weights: "
          "pcgrad takes out what works against retaining, gu all that lies along the retain gradient "
          "(in AdamW's metric), agree what has another sign; none leaves it");
    visit("rehearse", rehearse,
          "relearning steps that a copy of the selected weights takes on the forget set before the "
          "forget gradient is taken there, and applied here, scaled to the first step's norm; MUDMAN "
          "is --rehearse 1 --surgery agree; 0: the gradient is taken here");
    visit("rehearse-lr", rehearse_lr, "learning rate of those steps (plain gradient descent)");
    visit("rehearse-every", rehearse_every,
          "start the copy afresh from the weights every so many steps; in between it goes on "
          "relearning; 1: every step");
  }
};

// Error (usage) for settings that make no sense.
void CheckForgetGradientOptions(const ForgetGradientOptions& options);

// What a rehearsal is between two steps.
struct RehearsalState {
  int64_t drawn = 0;  // sequences that were relearned, all told
  double first_norm = std::numeric_limits<double>::quiet_NaN();  // of the forget gradient
  at::Tensor adversary;  // fp32 [n]; undefined where every step starts afresh
};

class Rehearsal {
 public:
  // `relearn` is the loss of relearning. What is referred to must outlive this.
  Rehearsal(const Model& model, Trainable& trainable, LossTerm relearn,
            const ForgetGradientOptions& options, int64_t batch_size, uint64_t seed,
            int64_t pass_tokens);

  // Takes an earlier state in the place of the start.
  void GoOnFrom(RehearsalState state);
  const RehearsalState& state() const { return state_; }

  // Puts the weights to where the adversary stands after its steps, `step` steps having been done.
  // Returns its last loss, double [], on the device. The gradient of the arena is left 0; `tokens`
  // grows.
  at::Tensor Relearn(int64_t step, GatherSink& sink, int64_t& tokens);

  // Puts the weights back, and scales the forget gradient that was taken, fp32 [n], to the norm of
  // the first one. Returns the norm that it had, double [], on the device, which is to be handed to
  // SeeNorm before the next step.
  at::Tensor Return(at::Tensor& forget_gradient);
  void SeeNorm(double norm);

 private:
  const Model& model_;
  Trainable& trainable_;
  LossTerm relearn_;
  ForgetGradientOptions options_;
  int64_t batch_size_;
  uint64_t seed_;
  int64_t pass_tokens_;
  ShuffledDraw draw_;
  at::Tensor own_;  // fp32 [n]: the model's masters while the adversary's are in their place
  RehearsalState state_;
};

}  // namespace grin
