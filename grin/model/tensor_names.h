#pragma once
// Where the roles of a decoder are found among a checkpoint's tensors. A name stands without
// ".weight" and ".bias"; an empty one means that the architecture has no such role, and the decoder
// leaves it out. The order of a block is fixed (see Block in decoder.cc), so these names are at the
// same time the switches of its structure.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace grin {

// One block's tensors, relative to the block.
struct BlockNames {
  std::string input_norm;                   // before attention
  std::string q, k, v;                      // query, key, value: either these three,
  std::string qkv;                          // or all in one matrix (ModelConfig::qkv_layout)
  std::vector<std::string> q_norm, k_norm;  // none, one for all heads, or one for each head
  std::string o;                            // attention's output
  std::string attention_out_norm;           // on attention's output, before it is added
  std::string attention_residual_norm;      // on the sum with attention's output
  std::string mlp_norm;                     // before the MLP
  std::string gate, up;                     // gated MLP: these two, or gate_up; plain MLP: up alone
  std::string gate_up;                      // gate's rows, then up's
  std::string down;
  std::string mlp_out_norm;       // on the MLP's output, before it is added
  std::string mlp_residual_norm;  // on the sum with the MLP's output
};

struct TensorNames {
  // What stands before every name but the head's; the first that fits is taken. Checkpoints of the
  // body alone leave it out.
  std::vector<std::string> prefixes = {"model.", ""};
  std::string embedding = "embed_tokens";
  std::string positions;                // learned positions
  std::string project_in, project_out;  // between the embedding's width and the blocks'
  std::string layers = "layers";        // block i is "layers.i."
  BlockNames block;
  std::string final_norm = "norm";
  std::vector<std::string> heads = {"lm_head"};  // the first that is there; unused when tied
};

// Tells whether a checkpoint has a tensor of that name.
using HasTensor = std::function<bool(const std::string& name)>;

// The first of the known prefixes under which the embedding is found; the first of all, for the
// error that names it, when there is none.
std::string FindPrefix(const TensorNames& names, const HasTensor& has);

// The first of the head's names that is there; the first of all when none is.
std::string FindHead(const TensorNames& names, const HasTensor& has);

// Where a weight stands: "model.layers.3.mlp.down_proj.weight" is layer 3, module "mlp.down_proj",
// and its bias module "mlp.down_proj.bias". The layer is the first part of the name that is a whole
// number; a name without one is all module ("model.embed_tokens").
struct WeightPlace {
  std::optional<int64_t> layer;
  std::string module;
};
WeightPlace PlaceOfWeight(std::string_view name);

// The names that Llama and most families after it use, without q and k norms.
TensorNames LlamaNames();

}  // namespace grin
