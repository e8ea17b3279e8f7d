#include "grin/model/tensor_names.h"

#include <algorithm>
#include <charconv>

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

WeightPlace PlaceOfWeight(std::string_view name) {
  constexpr std::string_view kWeight = ".weight";
  if (name.ends_with(kWeight)) name.remove_suffix(kWeight.size());
  for (size_t begin = 0; begin < name.size();) {
    const size_t dot = std::min(name.find('.', begin), name.size());
    int64_t layer = 0;
    const auto [end, error] = std::from_chars(name.data() + begin, name.data() + dot, layer);
    if (error == std::errc() && end == name.data() + dot && dot < name.size()) {
      return {layer, std::string(name.substr(dot + 1))};
    }
    begin = dot + 1;
  }
  return {std::nullopt, std::string(name)};
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
