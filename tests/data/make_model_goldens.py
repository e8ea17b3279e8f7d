"""Makes tests/data/model/<name>/: tiny checkpoints of every family with random weights, and what
transformers computes with them.

Run: python3 make_model_goldens.py [NAME...]   (torch 2.13.0, transformers 5.23.0, safetensors 0.8.0)

Each folder holds config.json, model.safetensors (or shards and model.safetensors.index.json) and
golden.json:

  sequences   list of {"tokens": [L ids], "logprobs": [L-1], "argmax": [L-1], "next": id}; fp32
              computation whatever the stored type; logprobs[t] and argmax[t] are of the prediction
              of tokens[t+1]; next is the argmax after the last token. Lengths 1 and 2 are there.
  mean_nll    mean over the sequences of 2 tokens and more of -mean(logprobs)
  gradients   of mean_nll, by stored tensor: {"norm": 2-norm, "dot": sum of g_i * sin(i+1) over flat
              positions i, "indices": flat positions (the largest few and random ones), "values"}
  generation  {"prompt": ids, "tokens": the 20 ids that greedy decoding appends; end tokens are not
              heeded}
  bfloat16    logprobs of every sequence computed in bfloat16; two right computations in bfloat16
              differ, so compare the mean absolute difference with "mean_deviation", which is that
              of these numbers from the fp32 ones.

Sequences are chosen so that no argmax is a near tie (a gap of 1e-3 at least).
"""

import json
import math
import pathlib
import shutil
import sys

import torch
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.pytorch_utils import Conv1D

from model_fixtures import FIXTURES

OUT = pathlib.Path(__file__).parent / "model"
LENGTHS = [1, 2, 3, 7, 8, 13, 24, 40]

def random_weights(model, generator):
    """Weights far from any initialisation: uneven norms, some negative, and a head that commits."""
    transposed = {f"{name}.weight" for name, module in model.named_modules()
                  if isinstance(module, Conv1D)}
    gemma = model.config.model_type.startswith("gemma")  # norms add 1, embeddings are scaled up
    for name, weight in model.state_dict().items():
        noise = torch.randn(weight.shape, generator=generator)
        if weight.dim() == 1 and name.endswith(".weight"):
            noise = (-0.1 if gemma else 0.9) + 0.5 * noise
        elif weight.dim() == 1:
            noise = 0.4 * noise
        elif any(part in name for part in ("embed", "wte", "wpe")) and "embed_out" not in name:
            noise = (0.12 if gemma else 0.7) * noise
        else:
            noise = noise * 1.6 / math.sqrt(weight.shape[0 if name in transposed else 1])
        weight.copy_(noise)


def old_rope(config, rope):
    """Rotary settings in the keys of transformers 4."""
    if "full_attention" in rope:  # Gemma 3
        config["rope_local_base_freq"] = rope["sliding_attention"]["rope_theta"]
        rope = dict(rope["full_attention"])
    neox = config["model_type"] == "gpt_neox"
    config["rotary_emb_base" if neox else "rope_theta"] = rope.pop("rope_theta")
    if "partial_rotary_factor" in rope:
        config["rotary_pct" if neox else "partial_rotary_factor"] = rope.pop("partial_rotary_factor")
    return rope


def old_config(config, fixture):
    """The same settings in the form that transformers 4 wrote."""
    rope = config.pop("rope_parameters", None)
    if rope:
        rope = old_rope(config, rope)
        kind = rope.pop("rope_type")
        key = "type" if fixture.get("old_rope_type") else "rope_type"
        config["rope_scaling"] = None if kind == "default" else {key: kind, **rope}
    config["torch_dtype"] = config.pop("dtype")
    config["transformers_version"] = "4.45.1"
    for key in fixture.get("drop", []):
        config.pop(key, None)
    return config


def stored_name(name, fixture):
    """The name under which a weight is stored."""
    for old, new in fixture.get("rename", []):
        name = name.replace(old, new)
    return name


def save_checkpoint(folder, fixture, seed):
    config = AutoConfig.for_model(fixture.get("type", "llama"), **fixture["config"])
    dtype = fixture.get("dtype", torch.float32)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        model = AutoModelForCausalLM.from_config(config)
        random_weights(model, generator)
    model = model.to(dtype)
    tensors = {stored_name(name, fixture): weight.contiguous()
               for name, weight in model.state_dict().items()
               if not (config.tie_word_embeddings and name == "lm_head.weight")}
    tensors |= fixture.get("buffers", {})
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    shards = fixture.get("shards", 1)
    if shards == 1:
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    else:
        names = sorted(tensors)
        where = {}
        for shard in range(shards):
            file = f"model-{shard + 1:05d}-of-{shards:05d}.safetensors"
            part = {name: tensors[name] for name in names[shard::shards]}
            where.update(dict.fromkeys(part, file))
            save_file(part, folder / file, metadata={"format": "pt"})
        size = sum(t.numel() * t.element_size() for t in tensors.values())
        index = {"metadata": {"total_size": size}, "weight_map": dict(sorted(where.items()))}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=1) + "\n")
    settings = config.to_dict()
    settings["architectures"] = [type(model).__name__]
    settings["dtype"] = str(dtype).removeprefix("torch.")
    if not fixture.get("v5"):
        settings = old_config(settings, fixture)
    settings |= fixture.get("overwrite", {})
    if "keep" in fixture:
        settings = {key: settings[key] for key in fixture["keep"] if key in settings}
    (folder / "config.json").write_text(json.dumps(settings, indent=1, sort_keys=True) + "\n")


def load(folder, dtype=torch.float32):
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, attn_implementation="eager")
    return model.eval()


def logprobs(model, tokens):
    """All log-probabilities after each token: fp32 [L, V]."""
    return torch.log_softmax(model(torch.tensor([tokens])).logits[0].float(), dim=-1)


def gap(rows):
    """The smallest distance of the best from the second best."""
    best = rows.topk(2, dim=-1).values
    return (best[:, 0] - best[:, 1]).min().item()


def draw_sequences(model, generator, vocabulary):
    sequences = []
    for length in LENGTHS:
        while True:
            tokens = torch.randint(0, vocabulary, (length,), generator=generator).tolist()
            with torch.no_grad():
                if gap(logprobs(model, tokens)) > 1e-3:
                    break
        sequences.append(tokens)
    return sequences


def draw_generation(model, generator, vocabulary, count=20):
    for _ in range(100):
        prompt = torch.randint(0, vocabulary, (5,), generator=generator).tolist()
        tokens = list(prompt)
        with torch.no_grad():
            for _ in range(count):
                row = logprobs(model, tokens)[-1:]
                if gap(row) < 1e-3:
                    break
                tokens.append(row.argmax().item())
        new = tokens[len(prompt):]
        if len(new) == count and len(set(new)) > 3:
            return {"prompt": prompt, "tokens": new}
    raise RuntimeError("every greedy continuation has a near tie or repeats itself")


def short(values):
    return [float(f"{v:.9g}") for v in values]


def chosen(gradient, generator):
    flat = gradient.flatten()
    largest = flat.abs().topk(min(4, flat.numel())).indices
    random = torch.randint(0, flat.numel(), (8,), generator=generator)
    return sorted(set(largest.tolist() + random.tolist()))


def golden(folder, fixture, seed):
    model = load(folder)
    generator = torch.Generator().manual_seed(seed)
    vocabulary = model.config.vocab_size
    sequences = draw_sequences(model, generator, vocabulary)
    records, losses = [], []
    for tokens in sequences:
        rows = logprobs(model, tokens)
        picked = rows[:-1].gather(1, torch.tensor(tokens[1:], dtype=torch.long)[:, None])[:, 0]
        if len(tokens) > 1:
            losses.append(-picked.mean())
        records.append({"tokens": tokens, "logprobs": short(picked.tolist()),
                        "argmax": rows[:-1].argmax(-1).tolist(), "next": rows[-1].argmax().item()})
    loss = torch.stack(losses).mean()
    loss.backward()
    gradients = {}
    for name, weight in sorted(model.named_parameters()):
        grad = weight.grad.double().flatten()
        wave = torch.arange(1, grad.numel() + 1, dtype=torch.float64).sin()
        indices = chosen(grad, generator)
        gradients[stored_name(name, fixture)] = {"norm": grad.norm().item(), "dot": (grad * wave).sum().item(),
                           "indices": indices, "values": short(grad[indices].tolist())}
    half = load(folder, torch.bfloat16)
    with torch.no_grad():
        rounded = [logprobs(half, r["tokens"])[:-1].gather(
            1, torch.tensor(r["tokens"][1:], dtype=torch.long)[:, None])[:, 0].tolist()
            for r in records]
    away = [abs(a - b) for r, h in zip(records, rounded) for a, b in zip(r["logprobs"], h)]
    with torch.no_grad():
        generation = draw_generation(model, generator, vocabulary)
    return {"sequences": records, "mean_nll": loss.item(), "gradients": gradients,
            "generation": generation,
            "bfloat16": {"logprobs": [short(h) for h in rounded],
                         "mean_deviation": sum(away) / len(away)}}


def write_rows(path, value):
    """JSON with one line for each entry of each member."""
    lines = []
    for key, member in value.items():
        if isinstance(member, list):
            rows = ",\n".join("  " + json.dumps(row) for row in member)
            lines.append(f" {json.dumps(key)}: [\n{rows}\n ]")
        elif isinstance(member, dict):
            rows = ",\n".join(f"  {json.dumps(k)}: {json.dumps(v)}" for k, v in member.items())
            lines.append(f" {json.dumps(key)}: {{\n{rows}\n }}")
        else:
            lines.append(f" {json.dumps(key)}: {json.dumps(member)}")
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def main():
    torch.set_num_threads(1)
    for seed, (name, fixture) in enumerate(FIXTURES.items(), start=11):
        if sys.argv[1:] and name not in sys.argv[1:]:
            continue
        folder = OUT / name
        save_checkpoint(folder, fixture, seed)
        result = golden(folder, fixture, seed)
        write_rows(folder / "golden.json", result)
        spread = result["bfloat16"]["mean_deviation"]
        size = sum(f.stat().st_size for f in folder.iterdir())
        print(f"{name}: mean NLL {result['mean_nll']:.4f}, bf16 off by {spread:.4f}, {size} bytes", flush=True)


if __name__ == "__main__":
    main()
