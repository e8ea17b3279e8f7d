#pragma once
// The decoder: one function over config switches, not a class per architecture.

#include <ATen/ATen.h>

#include <memory>
#include <string>
#include <vector>

#include "grin/model/attention.h"
#include "grin/model/config.h"
#include "grin/model/head.h"
#include "grin/model/layers.h"
#include "grin/model/norm.h"
#include "grin/model/packed_batch.h"
#include "grin/model/rope.h"
#include "grin/model/weights.h"
#include "grin/ranks/one_process.h"

namespace grin {

// The tensors behind BlockNames. What the architecture lacks is undefined, or absent for norms.
struct BlockWeights {
  NormWeights input_norm, attention_out_norm, attention_residual_norm;
  NormWeights mlp_norm, mlp_out_norm, mlp_residual_norm;
  std::vector<NormWeights> q_norm, k_norm;
  LinearWeights q, k, v, qkv, o;
  LinearWeights gate, up, gate_up, down;
};

// A checkpoint ready to run. Copies share the weights.
struct Model {
  ModelConfig config;
  std::shared_ptr<Weights> weights;
  Parameter embedding, positions;
  LinearWeights project_in, project_out;
  std::vector<BlockWeights> blocks;
  NormWeights final_norm;
  Head head;
  std::vector<Rope> ropes;  // as in config
  // The processes that have this model, each a copy, and share out what is computed with it.
  std::shared_ptr<const Ranks> ranks = OneProcess();

  // Names of the matrices of the blocks' linear layers: what is scored by default. Of all blocks, or
  // of one.
  std::vector<std::string> BlockMatrices() const;
  std::vector<std::string> BlockMatrices(int64_t block) const;
};

// Finds every role's tensor and checks its shape. `dtype` is the type to compute in; nothing means
// bf16 where the checkpoint is stored so, else fp32. Error (bad input) for an unknown architecture,
// a missing tensor or a wrong shape.
Model LoadModel(std::shared_ptr<const Checkpoint> checkpoint,
                std::optional<at::ScalarType> dtype = std::nullopt, at::Device device = at::kCPU);

// Hidden states ready for the head, [T, d]. tokens and positions are int64 [T]. With a sink the
// autograd tape is recorded and weight gradients go there. Error (bad input) for a position beyond
// the learned ones.
at::Tensor Forward(const Model& model, const at::Tensor& tokens, const at::Tensor& positions,
                   Attention& attention, GradientSink* sink = nullptr);

// Whether what a cache holds of a sequence of `length` tokens is of no use for its next token,
// because from there on all of its keys turn by other frequencies (longrope). It must be prefilled
// again.
bool CacheIsStale(const Model& model, int64_t length);

// Whether a row depends on how long its sequence is (longrope), so that sequences which begin alike
// cannot share rows.
bool RowsDependOnLength(const Model& model);

// The residual stream after block `layer` (from 0) of a batch, [T, d]. The blocks above do not run.
// With a sink the autograd tape is recorded, as in Forward.
at::Tensor HiddenAfter(const Model& model, int64_t layer, const PackedBatch& batch,
                       GradientSink* sink = nullptr);

// What the head reads of a batch: the rows batch.labels.rows of Forward, [R, d].
at::Tensor HeadRows(const Model& model, const PackedBatch& batch, GradientSink* sink = nullptr);

// Scores at the labels of a batch.
LabelScores ScoreBatch(const Model& model, const PackedBatch& batch, GradientSink* sink = nullptr,
                       const HeadOptions& options = {});

}  // namespace grin
