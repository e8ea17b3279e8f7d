#include "grin/tune/single_edit.h"

#include <chrono>

#include "grin/base/error.h"
#include "grin/base/log.h"
#include "grin/base/memory.h"
#include "grin/base/progress.h"
#include "grin/tune/selected_importance.h"
#include "grin/tune/trade_off.h"

namespace grin {

TuneReport EditOnce(const MethodInput& input, TuneHooks hooks, const std::function<Json()>& edit) {
  if (hooks.go_on_from && hooks.go_on_from->finished) {
    input.trainable.Restore(hooks.go_on_from->master);
    return ReportOf(*hooks.go_on_from);
  }
  const auto start = std::chrono::steady_clock::now();
  TradeOffJudge judge(input.model, input.task, input.seed, input.pass_tokens);
  judge.SetStart(judge.MeasureStart());
  TuneState state;
  Json record = {{"step", 1}};
  record.update(edit());
  input.trainable.WriteBack();
  const Judge::Verdict verdict = judge.Measure();
  record["judged"] = verdict.figures;
  record["score"] = verdict.score;
  state.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  record["seconds"] = state.seconds;
  record["peak_memory_bytes"] = PeakMemory();
  if (hooks.log) hooks.log(record);
  state.step = state.updates = state.kept_step = 1;
  state.master = input.trainable.arena().master;
  state.log = {std::move(record)};
  state.finished = true;
  if (hooks.between_steps) hooks.between_steps(state);
  Info("{}: {} weights in {}", input.options.method, input.trainable.count(),
       FormatDuration(state.seconds));
  return ReportOf(state);
}

at::Tensor SampledStatistic(const MethodInput& input, const std::vector<Sequence>& set,
                            const char* name) {
  const auto sample = SampleForLocate(set, input.locate.locate_sample, input.seed, name);
  return SelectedStatistic(input.model, input.trainable, sample, StatisticOf(input.locate),
                           input.pass_tokens,
                           fmt::format("{}: {} gradients", input.options.method, name));
}

at::Tensor EntriesOf(const Checkpoint& checkpoint, Trainable& trainable) {
  const at::Tensor all = at::empty_like(trainable.arena().master);
  int64_t begin = 0;
  for (const MaskedParameter& own : trainable.parameters()) {
    const TensorInfo* info = checkpoint.Find(own.name);
    if (!info) {
      BadInput("tune", "{}: has no {}, which is to be changed; it must be a checkpoint of the same model",
               checkpoint.path().string(), own.name);
    }
    const std::vector<int64_t> shape = trainable.ShapeOf(own.name);
    if (info->shape != shape || !FloatScalarType(info->dtype)) {
      BadInput("tune", "{}: has {} as {} {}, the model has it as {}", checkpoint.path().string(),
               own.name, DTypeName(info->dtype), FormatShape(info->shape), FormatShape(shape));
    }
    const at::Tensor stored = StoredTensor(checkpoint, *info);
    MaskedParameter part = own;
    part.master = all.narrow(0, begin, own.master.numel());
    ReadMasters(part, stored.scalar_type() == at::kDouble ? stored.to(at::kFloat) : stored);
    begin += own.master.numel();
  }
  return all;
}

}  // namespace grin
