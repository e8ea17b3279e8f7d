#include "grin/run/training_output.h"

#include "grin/base/error.h"
#include "grin/base/log.h"
#include "grin/base/memory.h"
#include "grin/run/provenance.h"

namespace grin {

TrainingOutput::TrainingOutput(const OutputOptions& output, const Workspace& workspace,
                               const Json& document)
    : out_(output.out), model_(workspace.checkpoint->path().string()) {
  if (!out_.empty()) directory_.emplace(output, *workspace.checkpoint, document);
}

void TrainingOutput::Finish(Trainable& trainable, const Mask* mask, const TuneReport& tuned,
                            const Stopwatch& clock, Json& document) {
  document["inputs"]["model"] = ValidUtf8(model_);
  if (mask) document["mask"] = DescribeMask(*mask);
  document["tune"] = DescribeTuning(tuned);
  document["cost"]["seconds"] = clock.seconds();
  if (!directory_) return;
  directory_->Write(&trainable, document, mask, tuned.log);
  Info("wrote {} after {} steps in {}; peak memory {:.2f} GB", out_, tuned.steps,
       FormatDuration(clock.seconds()), static_cast<double>(PeakMemory()) / 1e9);
  if (mask) {
    Info("check it with: grin diff {} {} --mask {}/mask.safetensors", model_, out_, out_);
  }
}

void ThrowIfGuarded(const TuneReport& report, const std::string& out) {
  if (report.guard.empty()) return;
  throw Error(ErrorClass::kGuard, "tune",
              fmt::format("{}; {} holds the state after step {}; lower --lr or --gamma",
                          report.guard, out, report.kept_step));
}

}  // namespace grin
