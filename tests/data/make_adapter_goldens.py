"""Makes tests/data/adapter/: LoRA adapters of tiny checkpoints, and what peft merges them into.

Run: python3 make_adapter_goldens.py    (torch 2.13.0, transformers 5.24.0, peft 0.21.2,
                                         safetensors 0.8.0; tests/data/model must be there)

<case>/adapter_config.json, adapter_model.safetensors   as peft's save_pretrained writes them; the base
    is named relative to the adapter: ../../model/<name>
<case>/merged.safetensors   the tensors that merge_and_unload changes, under the base's names, in the
    base's type

Weights of the adapters are random, as a trained one's are: B is not left at 0.
"""

import json
import pathlib
import shutil

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

HERE = pathlib.Path(__file__).parent
OUT = HERE / "adapter"

# name: (base, settings of LoraConfig)
CASES = {
    "plain": ("llama_plain", dict(r=4, lora_alpha=6, target_modules=["q_proj", "v_proj"])),
    # A regular expression, bf16 weights, patterns by layer, rank-stabilised.
    "patterns": ("llama_gqa_tied", dict(
        r=3, lora_alpha=5, use_rslora=True,
        target_modules=r".*\.layers\.[02]\.(self_attn\.o_proj|mlp\.(up|down)_proj)",
        rank_pattern={"down_proj": 2, r"layers\.2\.mlp\.up_proj": 5},
        alpha_pattern={r"model\.layers\.0\..*": 9, "o_proj": 1})),
    # Conv1D: weights are stored [in, out]. The checkpoint has no "transformer." in its names.
    "fan_in_fan_out": ("gpt2_body", dict(r=2, lora_alpha=3, fan_in_fan_out=True,
                                         target_modules=["c_attn", "c_proj"])),
    "dora": ("llama_plain", dict(r=2, lora_alpha=4, use_dora=True,
                                 target_modules=["k_proj", "gate_proj"])),
    "dora_transposed": ("gpt2_body", dict(r=2, lora_alpha=4, use_dora=True, fan_in_fan_out=True,
                                          target_modules=["c_fc"])),
    # fp16 base, its biases trained too, and a bias of B.
    "biases": ("llama_biases", dict(r=2, lora_alpha=2, bias="all", target_modules=["q_proj"])),
    "lora_bias": ("llama_biases", dict(r=2, lora_alpha=3, lora_bias=True,
                                       target_modules=["o_proj"])),
    "modules_to_save": ("llama_plain", dict(r=2, lora_alpha=2, target_modules=["q_proj"],
                                            modules_to_save=["lm_head", "norm"])),
    "embeddings": ("llama_plain", dict(r=2, lora_alpha=3,
                                       target_modules=["embed_tokens", "lm_head"])),
}


def base_of(name):
    return AutoModelForCausalLM.from_pretrained(HERE / "model" / name, dtype="auto")


def stored_names(name):
    tensors = {}
    for path in (HERE / "model" / name).glob("*.safetensors"):
        tensors.update(load_file(path))
    return tensors


def make(case, base, settings):
    torch.manual_seed(len(case))
    path = OUT / case
    shutil.rmtree(path, ignore_errors=True)
    model = get_peft_model(base_of(base), LoraConfig(task_type="CAUSAL_LM", **settings))
    for name, weight in model.named_parameters():
        if weight.requires_grad:
            scale = weight.detach().float().std().nan_to_num(0).clamp(min=.05)
            weight.data += (torch.randn(weight.shape) * .5 * scale).to(weight.dtype)
    model.save_pretrained(path)
    config = json.loads((path / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = f"../../model/{base}"
    (path / "adapter_config.json").write_text(json.dumps(config, indent=1) + "\n")
    (path / "README.md").unlink(missing_ok=True)
    # Loaded anew, as a user would.
    merged = PeftModel.from_pretrained(base_of(base), path).merge_and_unload().state_dict()
    before = stored_names(base)
    changed = {}
    for name, value in merged.items():
        stored = name if name in before else name.split(".", 1)[1]
        if stored not in before:
            assert "lm_head" in name, name  # tied
            continue
        if not torch.equal(value, before[stored]):
            assert value.dtype == before[stored].dtype, name
            changed[stored] = value.contiguous().clone()
    save_file(changed, path / "merged.safetensors")
    print(case, len(changed), sorted(changed)[:4])


def main():
    torch.set_num_threads(1)
    OUT.mkdir(exist_ok=True)
    for case, (base, settings) in CASES.items():
        make(case, base, settings)


if __name__ == "__main__":
    main()
