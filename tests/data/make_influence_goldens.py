"""Makes tests/data/locate/: influence masks of two of the tiny checkpoints by plain PyTorch.

Run: python3 make_influence_goldens.py    (torch 2.13.0, transformers 5.23.0, safetensors 0.8.0;
                                           tests/data/model must be there)

<model>.json
  model       the folder under tests/data/model
  forget, retain   lists of {"tokens": ids, "labels": positions > 0 whose tokens are predicted}
  scored      names of the scored weights (the matrices of the blocks' linear layers), sorted
  weights     how many entries they have together
  gradients   [set][statistic][name] = {"norm": 2-norm, "dot": sum of v_i * sin(i+1)} of the values
              v that the pass accumulates, for set forget and retain; statistic mean, abs, rms
  epsilon     [statistic]["50%" | "mean"]: of |g_r|; 50% by the lower method
  below       share of the entries with |g_r| < the 50% epsilon, statistic mean
  masks       list of {"key", "method", "statistic", "epsilon" (as --epsilon takes it), "settings"
              (of the method: mu, retain_weight, threshold), "fraction", "count" (round-half-up, or
              the scores above the threshold), "margin": relative distance of the last selected score
              from the first one left out, 0 where equal scores are cut (lower position wins)}
<model>_masks.safetensors
  for every mask and scored weight a U8 tensor "<key>/<weight name>": the flat mask packed 8 per
  byte, lowest bit first
<model>_mask.safetensors
  the mask of grin, mean, 50%, fraction .05 alone, as a mask file: tensors under the weights' names

The gradient of a set is that of the mean over sequences of the mean NLL over their labels. Computed
in float64 as far as transformers allows, and again in fp32: masks that differ between the two
would be no ground for a test, and stop the script.
"""

import json
import math
import pathlib

import numpy as np
import torch
from safetensors.numpy import save_file
from transformers import AutoModelForCausalLM

HERE = pathlib.Path(__file__).parent
OUT = HERE / "locate"
MODELS = {"llama_gqa_tied": [0.01, 0.05, 0.2], "mistral_window": [0.05]}
RECIPES = [("grin", "mean", "50%"), ("grin", "abs", "50%"), ("grin", "rms", "50%"),
           ("grin", "mean", "mean"), ("grin", "mean", "0.003"), ("salun", "mean", None),
           ("salun", "rms", None), ("magnitude", None, None), ("snip", "mean", None),
           ("wagle", "mean", None, {"mu": 0.1}), ("wagle", "mean", None, {"mu": 1e-6}),
           ("ssd", "rms", None), ("perta", "rms", None), ("perta", "abs", None),
           ("perta", "rms", None, {"retain_weight": 20.0})]
THRESHOLDS = [("ssd", "rms", None, {"threshold": 10.0}), ("ssd", "rms", None, {"threshold": 2.0}),
              ("perta", "rms", None, {"retain_weight": 5.0, "threshold": 0.5})]
MODULES = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


def draw_sequences(generator, count, vocabulary):
    """Random sequences of 2 to 30 tokens, each with one labelled stretch."""
    result = []
    for _ in range(count):
        length = int(torch.randint(2, 31, (1,), generator=generator))
        tokens = torch.randint(0, vocabulary, (length,), generator=generator).tolist()
        first = int(torch.randint(1, length, (1,), generator=generator))
        last = int(torch.randint(first, length, (1,), generator=generator))
        result.append({"tokens": tokens, "labels": list(range(first, last + 1))})
    return result


def sequence_nll(model, sequence):
    logits = model(torch.tensor([sequence["tokens"]])).logits[0]
    logp = torch.log_softmax(logits, dim=-1)
    at = torch.tensor(sequence["labels"])
    return -logp[at - 1, torch.tensor(sequence["tokens"])[at]].mean()


def accumulate(model, sequences, names):
    """Per statistic: {name: flat double tensor}."""
    weights = dict(model.named_parameters())
    sums = {s: {n: 0 for n in names} for s in ("mean", "abs", "rms")}
    for sequence in sequences:
        gradients = torch.autograd.grad(sequence_nll(model, sequence), [weights[n] for n in names])
        for name, gradient in zip(names, gradients):
            g = gradient.double().flatten()
            sums["mean"][name] = sums["mean"][name] + g
            sums["abs"][name] = sums["abs"][name] + g.abs()
            sums["rms"][name] = sums["rms"][name] + g * g
    n = len(sequences)
    return {s: {name: (v / n).sqrt() if s == "rms" else v / n for name, v in sums[s].items()}
            for s in sums}


def epsilon_value(text, retain):
    values = torch.cat([v.abs() for v in retain.values()])
    if text == "mean":
        return values.mean().item()
    if text.endswith("%"):
        rank = math.floor(float(text[:-1]) / 100 * (values.numel() - 1))
        return values.sort().values[rank].item()
    return float(text)


def scores(recipe, weights, forget, retain):
    method, statistic, epsilon, settings = (*recipe, {})[:4]
    if method == "magnitude":
        return {n: w.abs() for n, w in weights.items()}
    if method == "salun":
        return {n: g.abs() for n, g in forget[statistic].items()}
    if method == "snip":
        return {n: (weights[n] * g).abs() for n, g in forget[statistic].items()}
    if method == "wagle":
        return {n: ((weights[n] - retain[statistic][n] / settings["mu"]) * g).abs()
                for n, g in forget[statistic].items()}
    if method in ("ssd", "perta"):
        power = 2 if statistic == "rms" else 1
        f_f = {n: g.abs() ** power for n, g in forget[statistic].items()}
        f_r = {n: g.abs() ** power for n, g in retain[statistic].items()}
        if method == "ssd":
            return {n: f_f[n] / f_r[n] for n in f_f}
        a = settings.get("retain_weight", 1.0)
        return {n: f_f[n] / (f_f[n] + a * f_r[n]) for n in f_f}
    eps = epsilon_value(epsilon, retain[statistic])
    return {n: g.abs() / (retain[statistic][n].abs() + eps) for n, g in forget[statistic].items()}


def select(values, names, fraction, threshold=None):
    """The highest floor(fraction * N + .5), or those above the threshold, lower position first among
    equals; and the margin."""
    flat = torch.cat([values[n] for n in names])
    count = math.floor(fraction * flat.numel() + 0.5)
    if threshold is not None:
        count = int((flat > threshold).sum())
    order = torch.sort(flat, descending=True, stable=True)
    mask = torch.zeros(flat.numel(), dtype=torch.bool)
    mask[order.indices[:count]] = True
    last, first_out = order.values[count - 1].item(), order.values[count].item()
    return mask, count, (last - first_out) / last


def packed(mask, names, sizes):
    parts = torch.split(mask, [sizes[n] for n in names])
    return {n: np.packbits(p.numpy(), bitorder="little") for n, p in zip(names, parts)}


def fingerprint(values):
    wave = torch.arange(1, values.numel() + 1, dtype=torch.float64).sin()
    return {"norm": values.norm().item(), "dot": (values * wave).sum().item()}


def masks_of(name, forget, retain, fractions, dtype):
    model = AutoModelForCausalLM.from_pretrained(HERE / "model" / name, dtype=dtype,
                                                 attn_implementation="eager").eval()
    names = sorted(n for n, _ in model.named_parameters()
                   if n.endswith(".weight") and n.split(".")[-2] in MODULES)
    weights = {n: w.detach().double().flatten() for n, w in model.named_parameters() if n in names}
    shapes = {n: list(w.shape) for n, w in model.named_parameters() if n in names}
    gradients = {"forget": accumulate(model, forget, names),
                 "retain": accumulate(model, retain, names)}
    masks = []
    for recipe in RECIPES:
        values = scores(recipe, weights, gradients["forget"], gradients["retain"])
        for fraction in fractions:
            masks.append((recipe, fraction, *select(values, names, fraction)))
    for recipe in THRESHOLDS:
        values = scores(recipe, weights, gradients["forget"], gradients["retain"])
        masks.append((recipe, 0, *select(values, names, 0, recipe[3]["threshold"])))
    return names, shapes, gradients, masks


def make(name, fractions, seed):
    generator = torch.Generator().manual_seed(seed)
    settings = json.loads((HERE / "model" / name / "config.json").read_text())
    forget = draw_sequences(generator, 9, settings["vocab_size"])
    retain = draw_sequences(generator, 13, settings["vocab_size"])
    names, shapes, gradients, masks = masks_of(name, forget, retain, fractions, torch.float64)
    again = masks_of(name, forget, retain, fractions, torch.float32)[3]
    sizes = {n: math.prod(shape) for n, shape in shapes.items()}
    rows, tensors = [], {}
    for (recipe, fraction, mask, count, margin), other in zip(masks, again):
        method, statistic, epsilon, settings = (*recipe, {})[:4]
        words = [f"{name}={value}" for name, value in settings.items()]
        key = "-".join(x for x in (*recipe[:3], *words, str(fraction)) if x)
        if not torch.equal(mask, other[2]):
            raise SystemExit(f"{name} {key}: fp32 selects other weights; margin {margin:.1e}")
        rows.append({"key": key, "method": method, "statistic": statistic, "epsilon": epsilon,
                     "settings": settings, "fraction": fraction, "count": count, "margin": margin})
        bits = packed(mask, names, sizes)
        tensors.update({f"{key}/{n}": b for n, b in bits.items()})
        if key == "grin-mean-50%-0.05":
            save_file(bits, OUT / f"{name}_mask.safetensors", metadata={
                "format": "grin-mask-1", "shapes": json.dumps(shapes), "count": str(count),
                "method": "grin", "fraction": str(fraction)})
    save_file(tensors, OUT / f"{name}_masks.safetensors")
    epsilon = {s: {text: epsilon_value(text, gradients["retain"][s]) for text in ("50%", "mean")}
               for s in ("mean", "abs", "rms")}
    flat = torch.cat([v.abs() for v in gradients["retain"]["mean"].values()])
    golden = {
        "model": name, "forget": forget, "retain": retain, "scored": names,
        "weights": sum(sizes.values()), "epsilon": epsilon,
        "below": (flat < epsilon["mean"]["50%"]).double().mean().item(), "masks": rows,
        "gradients": {which: {s: {n: fingerprint(v) for n, v in by_name.items()}
                              for s, by_name in by_statistic.items()}
                      for which, by_statistic in gradients.items()}}
    text = json.dumps(golden).replace('], "', '],\n "')
    (OUT / f"{name}.json").write_text(text + "\n")
    smallest = min((r["margin"] for r in rows if r["method"] != "magnitude"))
    print(f"{name}: {golden['weights']} weights, {len(rows)} masks, smallest margin {smallest:.1e}")


def main():
    torch.set_num_threads(1)
    OUT.mkdir(exist_ok=True)
    for seed, (name, fractions) in enumerate(MODELS.items(), start=5):
        make(name, fractions, seed)
    for path in OUT.iterdir():
        path.chmod(0o644)


if __name__ == "__main__":
    main()
