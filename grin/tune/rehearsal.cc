#include "grin/tune/rehearsal.h"

#include <algorithm>
#include <cmath>

#include "grin/base/error.h"
#include "grin/tune/accumulate.h"

namespace grin {
namespace {

constexpr const char* kStream = "rehearsal";

}  // namespace

void CheckForgetGradientOptions(const ForgetGradientOptions& options) {
  FindSurgery(options.surgery);
  if (options.rehearse < 0) {
    BadUsage("tune", "--rehearse is {}; it must be 0 (none) or more", options.rehearse);
  }
  if (!(options.rehearse_lr > 0)) {
    BadUsage("tune", "--rehearse-lr is {}; it must be above 0", options.rehearse_lr);
  }
  if (options.rehearse_every < 1) {
    BadUsage("tune", "--rehearse-every is {}; it must be 1 or more", options.rehearse_every);
  }
}

Rehearsal::Rehearsal(const Model& model, Trainable& trainable, LossTerm relearn,
                     const ForgetGradientOptions& options, int64_t batch_size, uint64_t seed,
                     int64_t pass_tokens)
    : model_(model),
      trainable_(trainable),
      relearn_(std::move(relearn)),
      options_(options),
      batch_size_(std::min(batch_size, static_cast<int64_t>(relearn_.sequences->size()))),
      seed_(seed),
      pass_tokens_(pass_tokens),
      draw_(static_cast<int64_t>(relearn_.sequences->size()), seed, kStream) {}

void Rehearsal::GoOnFrom(RehearsalState state) {
  state_ = std::move(state);
  if (state_.adversary.defined()) {
    state_.adversary = state_.adversary.to(trainable_.arena().master.device());
  }
  draw_ = ShuffledDraw(static_cast<int64_t>(relearn_.sequences->size()), seed_, kStream);
  draw_.Skip(state_.drawn);
}

at::Tensor Rehearsal::Relearn(int64_t step, GatherSink& sink, int64_t& tokens) {
  Arena& arena = trainable_.arena();
  if (!own_.defined()) own_ = at::empty_like(arena.master);
  own_.copy_(arena.master);
  if (state_.adversary.defined() && step % options_.rehearse_every != 0) {
    arena.master.copy_(state_.adversary);
    trainable_.WriteBack();
  }
  at::Tensor loss;
  for (int64_t i = 0; i < options_.rehearse; ++i) {
    const std::vector<int64_t> drawn = draw_.Next(batch_size_);
    loss = SumOverParts(model_, {arena.gradient}, tokens, [&](StepPart part, int64_t& run) {
      return std::vector{
          Accumulate(model_, relearn_, drawn, pass_tokens_, &sink, run, {}, part)};
    })[0];
    state_.drawn += batch_size_;
    arena.master.sub_(arena.gradient, options_.rehearse_lr);
    trainable_.WriteBack();
  }
  if (options_.rehearse_every > 1) {
    if (!state_.adversary.defined()) state_.adversary = at::empty_like(arena.master);
    state_.adversary.copy_(arena.master);
  }
  arena.gradient.zero_();
  return loss;
}

at::Tensor Rehearsal::Return(at::Tensor& forget_gradient) {
  trainable_.arena().master.copy_(own_);
  trainable_.WriteBack();
  const at::Tensor norm = GradientNorm(forget_gradient);
  if (!std::isnan(state_.first_norm)) {
    const at::Tensor useless = norm.isfinite().logical_not_().logical_or_(norm.eq(0));
    forget_gradient.mul_(
        norm.reciprocal().mul_(state_.first_norm).masked_fill_(useless, 1).to(at::kFloat));
  }
  return norm;
}

void Rehearsal::SeeNorm(double norm) {
  if (std::isnan(state_.first_norm) && std::isfinite(norm) && norm > 0) state_.first_norm = norm;
}

}  // namespace grin
