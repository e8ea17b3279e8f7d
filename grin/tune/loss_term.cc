#include "grin/tune/loss_term.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "grin/base/error.h"
#include "grin/base/interrupt.h"
#include "grin/base/log.h"
#include "grin/base/progress.h"
#include "grin/data/packing.h"
#include "grin/engine/likelihood.h"

namespace grin {
namespace {

std::vector<int64_t> LabelOffsets(const std::vector<Sequence>& sequences) {
  std::vector<int64_t> offsets = {0};
  for (const Sequence& sequence : sequences) {
    offsets.push_back(offsets.back() + static_cast<int64_t>(sequence.labels.size()));
  }
  return offsets;
}

at::Tensor LogpOfLabels(const Model& model, const std::vector<Sequence>& sequences,
                        const LikelihoodOptions& options) {
  std::vector<float> joined;
  for (const SequenceScores& scores : ScoreSequences(model, sequences, options)) {
    joined.insert(joined.end(), scores.logp.begin(), scores.logp.end());
  }
  return at::tensor(joined);
}

// [N, d]: what `rows_of` gives for each pass, put in the order of the sequences.
at::Tensor RowsOfLabels(const Model& model, const std::vector<Sequence>& sequences,
                        const LikelihoodOptions& options, const std::vector<int64_t>& offsets,
                        const std::function<at::Tensor(const PackedBatch&)>& rows_of) {
  Progress progress(options.progress, static_cast<int64_t>(sequences.size()));
  const auto pointers = Pointers(sequences);
  at::Tensor all;
  for (const auto& pass : PlanPasses(pointers, options.pass_tokens)) {
    ThrowIfInterrupted();
    const at::Tensor rows = rows_of(Pack(Select(pointers, pass), model.weights->device()));
    if (!all.defined()) {
      all = at::empty({offsets.back(), rows.size(1)}, rows.options().device(at::kCPU));
    }
    int64_t begin = 0;
    for (const int64_t s : pass) {
      const int64_t count = offsets[s + 1] - offsets[s];
      all.narrow(0, offsets[s], count).copy_(rows.narrow(0, begin, count));
      begin += count;
    }
    progress.Add(static_cast<int64_t>(pass.size()));
  }
  return all;
}

// Under what name the values are stored, which tells the kinds apart.
std::string StoredName(const Objective& objective) {
  if (std::holds_alternative<OnLogp>(objective.kind)) return "logp";
  return objective.on_hidden() ? "activations" : "head_rows";
}

// A distance is no number of nats: what is small is told by the length of what is compared with.
void SetLossFloor(LossTerm& term) {
  if (!term.objective->on_hidden()) return;
  const at::Tensor lengths = term.reference.values.to(at::kFloat).square().sum(-1);
  term.loss_floor = 0.5 * lengths.mean().item<double>();
}

}  // namespace

at::Tensor ReferenceValues::Of(std::span<const int64_t> sequences,
                               std::span<const int64_t> labels) const {
  std::vector<int64_t> rows;
  for (size_t i = 0; i < sequences.size(); ++i) {
    const int64_t begin = offsets[sequences[i]];
    for (int64_t n = begin; n < begin + labels[i]; ++n) rows.push_back(n);
  }
  return values.index_select(0, at::tensor(rows, at::kLong));
}

void ComputeReference(const Model& model, LossTerm& term, int64_t pass_tokens) {
  const Objective& objective = *term.objective;
  ReferenceValues& reference = term.reference;
  if (!objective.needs_reference || reference.defined() || term.sequences->empty()) return;
  LikelihoodOptions options{.pass_tokens = pass_tokens};
  options.progress = fmt::format("tune: {} reference", term.name);
  reference.offsets = LabelOffsets(*term.sequences);
  if (std::holds_alternative<OnLogp>(objective.kind)) {
    reference.values = LogpOfLabels(model, *term.sequences, options);
    return;
  }
  const bool hidden = objective.on_hidden();
  const int64_t layer = hidden ? HiddenLayer(term.settings, model.config) : -1;
  reference.values = RowsOfLabels(
      model, *term.sequences, options, reference.offsets, [&](const PackedBatch& batch) {
        return hidden ? HiddenAtLabels(model, batch, layer) : HeadRowsAtLabels(model, batch);
      });
  SetLossFloor(term);
  Info("tune: the untouched model's {} at {} labels of the {} set take {:.1f} MB",
       hidden ? fmt::format("activations after layer {}, of length {:.3g} on average,", layer,
                            std::sqrt(2 * term.loss_floor))
              : "hidden states",
       reference.values.size(0), term.name,
       static_cast<double>(reference.values.nbytes()) / 1e6);
}

ReferenceTensors StoreReference(const LossTerm& term) {
  if (!term.reference.defined()) return {};
  return {{StoredName(*term.objective), term.reference.values}};
}

void LoadReference(LossTerm& term, const ReferenceTensors& stored) {
  term.reference = {};
  if (!term.objective->needs_reference) return;
  const auto found = stored.find(StoredName(*term.objective));
  if (found == stored.end()) {
    BadInput("tune", "no reference values are stored for the {} set, which {} needs", term.name,
             term.objective->name);
  }
  term.reference.offsets = LabelOffsets(*term.sequences);
  if (found->second.size(0) != term.reference.offsets.back()) {
    BadInput("tune", "{} reference values are stored for the {} set, which has {} labels",
             found->second.size(0), term.name, term.reference.offsets.back());
  }
  term.reference.values = found->second;
  SetLossFloor(term);
}

Head UntouchedHead(const Model& model) {
  const auto stored = [&](const Parameter& parameter) {
    if (!parameter.defined()) return parameter;
    const Checkpoint& checkpoint = model.weights->checkpoint();
    const at::Tensor value = StoredTensor(checkpoint, *checkpoint.Find(parameter.name))
                                 .to(model.weights->device(), model.weights->dtype());
    return Parameter{parameter.name, value};
  };
  return {.weight = stored(model.head.weight),
          .bias = stored(model.head.bias),
          .softcap = model.head.softcap};
}

int64_t HiddenLayer(const ObjectiveSettings& settings, const ModelConfig& config) {
  if (settings.layer == -1) return std::max<int64_t>(0, config.layers / 2 - 1);
  if (settings.layer < 0 || settings.layer >= config.layers) {
    BadUsage("tune", "--layer is {}; the model has layers 0 to {}", settings.layer,
             config.layers - 1);
  }
  return settings.layer;
}

at::Tensor HiddenAtLabels(const Model& model, const PackedBatch& batch, int64_t layer,
                          GradientSink* sink) {
  const at::AutoGradMode grad_mode(sink != nullptr);
  const at::Tensor rows = batch.labels.rows.index_select(0, batch.labels.row_of);
  return HiddenAfter(model, layer, batch, sink).index_select(0, rows);
}

at::Tensor HeadRowsAtLabels(const Model& model, const PackedBatch& batch, GradientSink* sink) {
  const at::AutoGradMode grad_mode(sink != nullptr);
  return HeadRows(model, batch, sink).index_select(0, batch.labels.row_of);
}

}  // namespace grin
