#pragma once
// Families of architectures: how config.json becomes the switches and names of a ModelConfig. A new
// family is one function and one row in families.cc; docs/adding-a-family.md shows how.

#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "grin/base/json_fields.h"
#include "grin/model/config.h"
#include "grin/model/rope_config.h"

namespace grin {

// The keys of config.json that hold the numbers every decoder has.
struct ConfigKeys {
  const char* layers = "num_hidden_layers";
  const char* hidden = "hidden_size";
  const char* intermediate = "intermediate_size";
  const char* heads = "num_attention_heads";
  const char* kv_heads = "num_key_value_heads";
  const char* context = "max_position_embeddings";
  const char* activation = "hidden_act";
};

// How GGUF files, and what reads them, have the family.
struct GgufTraits {
  // Biases of attention's output and of the MLP.
  enum class Biases { kNone, kOptional, kAll };
  // The head: the embedding stands in where it is not there, or must, or must not.
  enum class Head { kOptional, kTied, kOwn };
  std::string_view architecture = {};  // empty: the format has none
  bool paired_rotary = false;          // dimensions that turn together are neighbours
  Biases biases = Biases::kNone;       // what readers know, with kAll also on q, k, v
  bool windows = false;                // readers heed them
  Head head = Head::kOptional;
  bool always_parallel = false;        // MLP beside attention without being told
  int64_t no_rope_step = 0;            // every so many layers one does not rotate; 0: all rotate
  int64_t layers_scaled_by_width = 0;  // a model of so many layers scales by hidden / heads
  // Norms before attention and before the MLP, where there are two.
  std::string_view input_norm = "attn_norm", mlp_norm = "ffn_norm";
};

struct Family {
  std::string_view name;                      // for people
  std::vector<std::string_view> model_types;  // config.json's model_type
  // Sets names, norm, positions and every switch that differs from its default. The numbers behind
  // `keys`, the activation, tied embeddings and token ids are already read.
  void (*configure)(const JsonFields& config, ModelConfig& model);
  // What holds where config.json is silent; an absent `intermediate` without a default here is an
  // error.
  ConfigKeys keys = {};
  std::string_view activation = "silu";
  bool tied_embeddings = false;
  int64_t intermediate_per_hidden = 0;
  int64_t head_dim = 0;  // 0: hidden / heads
  GgufTraits gguf = {};
};

// Every family, in the order of families.cc.
const std::vector<Family>& Families();

// The family of a checkpoint. Error (bad input) that lists the known ones, and says of other kinds
// of checkpoints what they are.
const Family& FamilyOf(const JsonFields& config);

// What many families share with Llama: its names, RMS norms (rms_norm_eps) and rotary positions.
void ConfigureAsLlama(const JsonFields& config, ModelConfig& model, const RopeDefaults& rope = {});

// The activation of a name in config.json; nothing for one that is not known.
std::optional<Activation> FindActivation(std::string_view name);

// The activation that `key` names. Error (bad input) for one that is not known.
Activation ReadActivation(const JsonFields& config, const char* key, std::string_view fallback);

// Lets layers see only the window of config.json's sliding_window (`absent` where it is not there):
// those that layer_types calls sliding_attention, or for which `otherwise` says so.
void ReadWindows(const JsonFields& config, ModelConfig& model, std::optional<int64_t> absent,
                 const std::function<bool(int64_t layer)>& otherwise);

}  // namespace grin
