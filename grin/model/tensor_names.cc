#include "grin/model/tensor_names.h"

namespace grin {

std::string FindPrefix(const TensorNames& names, const HasTensor& has) {
  for (const std::string& prefix : names.prefixes) {
    if (has(prefix + names.embedding + ".weight")) return prefix;
  }
  return names.prefixes.front();
}

std::string FindHead(const TensorNames& names, const HasTensor& has) {
  for (const std::string& head : names.heads) {
    if (has(head + ".weight")) return head;
  }
  return names.heads.front();
}

TensorNames LlamaNames() {
  return {.block = {.input_norm = "input_layernorm",
                    .q = "self_attn.q_proj",
                    .k = "self_attn.k_proj",
                    .v = "self_attn.v_proj",
                    .o = "self_attn.o_proj",
                    .mlp_norm = "post_attention_layernorm",
                    .gate = "mlp.gate_proj",
                    .up = "mlp.up_proj",
                    .down = "mlp.down_proj"}};
}

}  // namespace grin
