#include "grin/cli/command.h"

namespace grin {

extern const Command kUnlearn, kSweep, kPlan, kLocate, kPerturb, kTune, kFinetune, kEval, kAttack, kReport,
    kLoglik, kGenerate, kTokenize, kDiff, kApply, kInspect, kMask, kFetch, kConvert, kDemo,
    kVersion;

std::span<const Command* const> Commands() {
  static const Command* const commands[] = {&kUnlearn,  &kSweep,    &kPlan,    &kLocate,  &kPerturb,
                                            &kTune,     &kFinetune, &kEval,    &kAttack,
                                            &kReport,   &kLoglik,   &kGenerate, &kTokenize,
                                            &kDiff,     &kApply,    &kInspect, &kMask,
                                            &kFetch,    &kConvert,  &kDemo,    &kVersion};
  return commands;
}

}  // namespace grin
