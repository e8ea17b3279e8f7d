"""The tiny models as a GGUF file can hold them: what no such file can say is set to what its readers
take for granted."""

import json
import re
import shutil

from safetensors.torch import load_file, save_file

EDITS = {
    "falcon_40b": {"bias": False},
    "falcon_7b": {"num_kv_heads": 1},
    "gemma1_legacy_gelu": {"attention_bias": False},
    "gemma2_caps": {"query_pre_attn_scalar": "head_dim"},
    "gemma2_uncapped": {"query_pre_attn_scalar": "head_dim", "attention_bias": False},
    "gemma3_listed": {"query_pre_attn_scalar": "head_dim", "attention_bias": False},
    "gemma3_two_bases": {"query_pre_attn_scalar": "head_dim"},
    "gpt2_scales": {"activation_function": "gelu_new", "scale_attn_weights": True,
                    "scale_attn_by_inverse_layer_idx": False},
    "gpt_neox_sequential": {"hidden_act": "gelu"},
    "llama_yarn": {"rope_parameters": {"rope_type": "yarn", "rope_theta": 5000.0, "factor": 4.0,
                                       "mscale": 0.7, "mscale_all_dim": 0.9,
                                       "original_max_position_embeddings": 24}},
    "mistral_gelu": {"hidden_act": "silu"},
    "olmo2_norms": {"attention_bias": False},
    "qwen3_biases": {"attention_bias": False},
    "smollm3_listed": {"no_rope_layers": None, "no_rope_layer_interval": 4},
    "smollm3_nope": {"no_rope_layers": None, "no_rope_layer_interval": 4, "attention_bias": False,
                     "mlp_bias": False},
}
# Left out of the copy: buffers, and biases that the edits switch off.
ATTENTION_BIASES = r"self_attn\.[qkvo]_proj\.bias$"
UNUSED = {"falcon_40b": r"(query_key_value|dense|h_to_4h|4h_to_h)\.bias$",
          "gemma1_legacy_gelu": ATTENTION_BIASES,
          "gemma2_uncapped": ATTENTION_BIASES,
          "gemma3_listed": ATTENTION_BIASES,
          "gpt2_body": r"\.attn\.(masked_)?bias$",
          "olmo2_norms": ATTENTION_BIASES,
          "qwen3_biases": ATTENTION_BIASES,
          "smollm3_nope": r"_proj\.bias$"}


def prepare(source, copy):
    """Makes the copy; returns the edits of its config.json."""
    shutil.copytree(source, copy)
    config = json.loads((copy / "config.json").read_text())
    edits = {key: config["head_dim"] if value == "head_dim" else value
             for key, value in EDITS.get(source.name, {}).items()}
    (copy / "config.json").write_text(json.dumps(config | edits))
    if source.name in UNUSED:
        for path in copy.glob("*.safetensors"):
            save_file({name: tensor for name, tensor in load_file(path).items()
                       if not re.search(UNUSED[source.name], name)}, path, {"format": "pt"})
    return edits
