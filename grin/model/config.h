#pragma once
// What config.json says about a model, as switches of the one decoder function.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "grin/base/json.h"
#include "grin/model/tensor_names.h"

namespace grin {

// Rotary positions: the base frequencies, and how they are stretched for contexts longer than the
// pre-training's.
struct RopeConfig {
  enum class Kind { kPlain, kLinear, kLlama3, kYarn, kLongRope };
  Kind kind = Kind::kPlain;
  double theta = 10000.0;
  int64_t dimensions = 0;                    // of each head that turn; those behind them stay
  double factor = 1.0;                       // linear, llama3, yarn
  int64_t original_context = 0;              // llama3, yarn, longrope
  double low_frequency_factor = 1.0;         // llama3
  double high_frequency_factor = 4.0;        // llama3
  double beta_fast = 32.0, beta_slow = 1.0;  // yarn: turns within the original context
  bool truncate = true;                      // yarn: the range starts and ends at whole pairs
  double magnitude = 1.0;                    // yarn, longrope: factor of cosine and sine
  std::vector<double> short_factors, long_factors;  // longrope: up to, and beyond, original_context
};

// How one layer attends.
struct AttentionSpec {
  double scale = 1.0;             // of the products of queries and keys
  std::optional<double> softcap;  // scores become softcap * tanh(score / softcap)
  std::optional<int64_t> window;  // a token sees itself and the window - 1 before it
};

struct LayerConfig {
  AttentionSpec attention;
  std::optional<size_t> rope;  // which of ModelConfig::ropes turns queries and keys; none: no turn
};

struct NormConfig {
  enum class Kind { kRms, kLayer };
  Kind kind = Kind::kRms;
  double epsilon = 1e-6;
  double offset = 0.0;  // added to the stored weight (rms)
  bool weight = true;   // whether there is a weight
  bool bias = false;    // whether there is a bias (layer)
};

// The order of the rows of a fused query, key and value matrix.
enum class QkvLayout {
  kParts,   // all of q, all of k, all of v
  kGroups,  // for each key-value head: the queries that share it, its k, its v
};

enum class Activation { kSilu, kGelu, kGeluTanh, kRelu };

struct ModelConfig {
  std::string family;  // the row of the family table that read this
  TensorNames names;
  int64_t layers = 0;
  int64_t hidden = 0;
  int64_t intermediate = 0;
  int64_t heads = 0;
  int64_t kv_heads = 0;
  int64_t head_dim = 0;
  int64_t vocabulary = 0;
  int64_t context = 0;              // longest sequence the model was made for
  std::vector<int32_t> end_tokens;  // eos_token_id, one or several

  int64_t embedding_width = 0;  // other than hidden where there are project_in and project_out
  double embedding_scale = 1.0;
  std::optional<int64_t>
      padding_token;            // its embedding gets no gradient from where it is looked up
  int64_t position_offset = 0;  // learned positions: the row of position 0
  bool tied_embeddings = false;

  NormConfig norm;
  bool qk_norm_bias = false;   // whether q and k norms have a bias
  bool qk_norm_whole = false;  // q and k norms span all heads, not each head
  Activation activation = Activation::kSilu;
  bool parallel_residual = false;  // MLP beside attention: x + attention(x) + mlp(x)
  QkvLayout qkv_layout = QkvLayout::kParts;
  bool transposed_matrices = false;  // the blocks' matrices are stored [in, out]
  bool qkv_bias = false, output_bias = false, mlp_bias = false, head_bias = false;
  std::optional<double> final_softcap;  // logits become softcap * tanh(logit / softcap)

  std::vector<RopeConfig> ropes;   // one, or one for each kind of layer; none: no rotary positions
  std::vector<LayerConfig> layer;  // [layers]
};

// Reads config.json. `where` names the file in errors. Error (bad input): an architecture that no
// family knows (the known ones are listed), a missing or impossible number, a feature that is not
// supported (each named).
ModelConfig ParseModelConfig(const Json& config, std::string_view where);

}  // namespace grin
