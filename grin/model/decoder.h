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
#include "grin/model/packed_batch.h"
#include "grin/model/weights.h"

namespace grin {

struct BlockWeights {
  Parameter input_norm, post_attention_norm;
  LinearWeights q, k, v, o, gate, up, down;
};

// A checkpoint ready to run. Copies share the weights.
struct Model {
  ModelConfig config;
  std::shared_ptr<Weights> weights;
  Parameter embedding, final_norm, head;
  std::vector<BlockWeights> blocks;
  at::Tensor rope_frequencies;  // fp32 [head_dim / 2]

  // Names of the matrices of the blocks' linear layers: what is scored by default.
  std::vector<std::string> BlockMatrices() const;
};

// Finds every role's tensor and checks its shape. `dtype` is the type to compute in; nothing means
// bf16 where the checkpoint is stored so, else fp32. Error (bad input) for an unknown architecture,
// a missing tensor or a wrong shape.
Model LoadModel(std::shared_ptr<const Checkpoint> checkpoint,
                std::optional<at::ScalarType> dtype = std::nullopt,
                at::Device device = at::kCPU);

// Hidden states after the final norm, [T, d]. tokens and positions are int64 [T]. With a sink the
// autograd tape is recorded and weight gradients go there.
at::Tensor Forward(const Model& model, const at::Tensor& tokens, const at::Tensor& positions,
                   Attention& attention, GradientSink* sink = nullptr);

// Scores at the labels of a batch.
LabelScores ScoreBatch(const Model& model, const PackedBatch& batch, GradientSink* sink = nullptr,
                       const HeadOptions& options = {});

}  // namespace grin
