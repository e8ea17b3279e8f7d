#pragma once
// What config.json would say of the model in a GGUF file, and how its tensors are named there.

#include <optional>
#include <string>
#include <string_view>

#include "grin/base/json.h"
#include "grin/gguf/gguf_file.h"

namespace grin {

// An architecture that can be imported.
struct GgufArchitecture {
  std::string_view name;        // general.architecture
  std::string_view model_type;  // config.json
  std::string_view class_name;
  bool interleaved_rotary;  // rows of q and k are stored pairwise, and are to be put back in halves
};

// Error (bad input) naming the known ones when the file's is not among them.
const GgufArchitecture& FindGgufArchitecture(const GgufFile& file);

// The configuration. Error (bad input) when a key is missing or says what cannot be expressed.
Json MakeGgufConfig(const GgufFile& file, const GgufArchitecture& architecture);

// "blk.3.attn_q.weight" -> "model.layers.3.self_attn.q_proj.weight"; empty for what belongs to the
// configuration (rope_freqs). Error (bad input) for a name that is not known.
std::string CheckpointTensorName(std::string_view gguf_name, const GgufFile& file);

}  // namespace grin
