"""Makes tests/data/tune/methods.json: what the methods and the surgeries make of gradients and weights,
by plain PyTorch in float64, for one of the tiny checkpoints and for vectors.

Run: python3 make_method_goldens.py       (torch 2.13.0, transformers 5.24.0; tests/data/model and
                                           tests/data/locate must be there)

  surgery     list of {"name", "parts": sizes of the weights, "forget", "retain", "v", "updates",
              "result"}: flat gradients, AdamW's second moments before the step and how many steps it
              has made, and what is left of the forget gradient
  weaken      list of {"matrix": rows, "rank", "s": singular values, "result": rows}
  model       the folder under tests/data/model; sequences are those of tests/data/locate; every entry
              of the blocks' matrices ("scored" there) is selected
  rehearsal   {"lr", "steps", "gamma", "relearn_loss": before the last step, "at_adversary" and "here":
              fingerprints of gamma times the gradient of -mean NLL / T (graddiff), by weight}
  edits       list of {"method", settings, "change": fingerprints of theta_new - theta by weight}; the
              checkpoint before is 0.9 theta (0.9 in fp32), the one that was taught 1.1 theta
  repselect   {"seed", "rank", "lora_rank", "lora_lr", "batch": sequences of a step, in their order;
              "losses": of the adapter's steps, "a" and "b": fingerprints of its factors by weight,
              "direction": fingerprints by weight of what is gone along, mean square 1 over all
              matrices of the MLPs}
  shrink      {"seed", "name", "shrink", "shrink_noise", "values": the first 8 after the noise}

A fingerprint of the values v of a weight is {"norm": 2-norm, "dot": sum of v_i sin(i + 1)}.
"""

import json
import math
import pathlib

import torch
from make_influence_goldens import HERE, accumulate, fingerprint, sequence_nll
from make_objective_goldens import uniform_pairs
from transformers import AutoModelForCausalLM

NAME = "llama_gqa_tied"


def rounded(tensor):
    return tensor.float().double()


def uniforms(seed, stream, shape):
    first = [pair[0] for pair in uniform_pairs(seed, stream, math.prod(shape))]
    return torch.tensor(first, dtype=torch.float64).view(shape)


def surgery(name, parts, forget, retain, v, updates):
    if name == "agree":
        return torch.where(forget.sign() == retain.sign(), forget, 0)
    if name == "pcgrad":
        dot = forget @ retain
        return forget - (dot / (retain @ retain)) * retain if dot < 0 else forget
    result = []
    correction = 1 - 0.999**updates if updates else 1
    for f, r, second in zip(*(x.split(parts) for x in (forget, retain, v))):
        metric = 1 / ((second / correction).sqrt() + 1e-8)
        result.append(f - ((f * metric * r).sum() / (r * metric * r).sum()) * r)
    return torch.cat(result)


def make_surgery():
    generator = torch.Generator().manual_seed(21)
    parts = [5, 1, 9]
    rows = []
    for updates, against in ((0, True), (3, True), (3, False)):
        def normal(scale=1.0):
            return rounded(scale * torch.randn(sum(parts), generator=generator, dtype=torch.float64))
        retain = normal()
        forget = rounded(normal(0.5) + (-retain if against else retain))
        v = rounded(normal(1e-3).square()) if updates else torch.zeros(sum(parts)).double()
        for name in ("pcgrad", "gu", "agree"):
            result = surgery(name, parts, forget, retain, v, updates)
            rows.append({"name": name, "parts": parts, "forget": forget.tolist(),
                         "retain": retain.tolist(), "v": v.tolist(), "updates": updates,
                         "result": result.tolist()})
    return rows


def weaken(matrix, rank):
    """Each of the strongest `rank` directions divided by s_i / s_min on both sides."""
    u, s, vt = torch.linalg.svd(matrix, full_matrices=False)
    u, s, v = u[:, :rank], s[:rank], vt[:rank].T
    share = s.min() / s
    matrix = matrix - (matrix @ v) @ torch.diag(1 - share) @ v.T
    return matrix - u @ torch.diag(1 - share) @ (u.T @ matrix), s


def make_weaken():
    generator = torch.Generator().manual_seed(22)
    rows = []
    for m, n, rank in ((12, 9, 4), (6, 20, 6), (8, 8, 1)):
        matrix = rounded(torch.randn(m, n, generator=generator, dtype=torch.float64))
        result, s = weaken(matrix, rank)
        rows.append({"matrix": matrix.tolist(), "rank": rank, "s": s.tolist(),
                     "result": result.tolist()})
    return rows


def load():
    return AutoModelForCausalLM.from_pretrained(HERE / "model" / NAME, dtype=torch.float64,
                                                attn_implementation="eager").eval()


def mean_nll(model, sequences):
    return sum(sequence_nll(model, s) for s in sequences) / len(sequences)


def gradients(model, names, loss):
    weights = dict(model.named_parameters())
    return dict(zip(names, torch.autograd.grad(loss, [weights[n] for n in names])))


def prints(tensors):
    return {n: fingerprint(t.detach().flatten()) for n, t in tensors.items()}


def make_rehearsal(names, forget):
    model, lr, steps, gamma = load(), 0.05, 2, 0.5
    here = gradients(model, names, -gamma * mean_nll(model, forget))
    for _ in range(steps):
        loss = mean_nll(model, forget)
        step = gradients(model, names, loss)
        with torch.no_grad():
            for n, w in model.named_parameters():
                if n in step:
                    w -= lr * step[n]
    there = gradients(model, names, -gamma * mean_nll(model, forget))
    return {"lr": lr, "steps": steps, "gamma": gamma, "relearn_loss": loss.item(),
            "at_adversary": prints(there), "here": prints(here)}


def make_edits(names, forget, retain):
    model = load()
    weights = {n: w.detach().flatten() for n, w in model.named_parameters() if n in names}
    f_f = {n: g.square() for n, g in accumulate(model, forget, names)["rms"].items()}
    f_r = {n: g.square() for n, g in accumulate(model, retain, names)["rms"].items()}
    before = {n: (w.float() * torch.tensor(0.9)).double() for n, w in weights.items()}
    taught = {n: (w.float() * torch.tensor(1.1)).double() for n, w in weights.items()}
    rows = []

    def add(change, **settings):
        rows.append({**settings, "change": prints(change)})

    for alpha, dampen in ((10.0, 1.0), (1.5, 0.25), (1.5, 4.0)):
        change = {}
        for n, w in weights.items():
            factor = (dampen * f_r[n] / f_f[n]).clamp(max=1)
            change[n] = torch.where(f_f[n] > alpha * f_r[n], w * factor, w) - w
        add(change, method="ssd", threshold=alpha, dampen=dampen)
    for strength, a in ((1.0, 1.0), (0.5, 8.0)):
        add({n: -strength * f_f[n] / (f_f[n] + a * f_r[n]) * (w - before[n])
             for n, w in weights.items()}, method="perta", strength=strength, retain_weight=a)
    add({n: -0.7 * (w - before[n]) for n, w in weights.items()},
        method="task-vector", strength=0.7, before=True)
    add({n: -0.7 * (taught[n] - w) for n, w in weights.items()},
        method="task-vector", strength=0.7, taught=True)
    add({n: -0.7 * (taught[n] - before[n]) for n, w in weights.items()},
        method="task-vector", strength=0.7, before=True, taught=True)
    return rows


def make_repselect(names, forget):
    """One pass of the adapter over all sequences at once, twice, then the direction."""
    seed, rank, lora_rank, lora_lr, passes = 7, 6, 3, 0.5, 2
    model = load()
    names = [n for n in names if ".mlp." in n]
    base = {n: w.detach().clone() for n, w in model.named_parameters() if n in names}
    a = {n: (2 * uniforms(seed, f"adapter/{n}", (lora_rank, w.shape[1])) - 1) / w.shape[1] ** 0.5
         for n, w in base.items()}
    a = {n: rounded(t) for n, t in a.items()}
    b = {n: torch.zeros(w.shape[0], lora_rank).double() for n, w in base.items()}
    losses = []

    def put_on():
        with torch.no_grad():
            for n, w in model.named_parameters():
                if n in base:
                    w.copy_(base[n] + b[n] @ a[n])

    for _ in range(passes):
        put_on()
        loss = mean_nll(model, forget)
        losses.append(loss.item())
        step = gradients(model, names, loss)
        a, b = ({n: a[n] - lora_lr * (b[n].T @ step[n]) for n in names},
                {n: b[n] - lora_lr * (step[n] @ a[n].T) for n in names})
    put_on()
    direction = {}
    for n, g in gradients(model, names, mean_nll(model, forget)).items():
        direction[n] = weaken(g, min(rank, max(1, min(g.shape) // 4)))[0].flatten()
    square = sum(d.square().sum() for d in direction.values())
    count = sum(d.numel() for d in direction.values())
    direction = {n: d * (count / square).sqrt() for n, d in direction.items()}
    return {"seed": seed, "rank": rank, "lora_rank": lora_rank, "lora_lr": lora_lr,
            "lora_epochs": passes, "losses": losses, "a": prints(a), "b": prints(b),
            "direction": prints(direction)}


def make_shrink(names):
    seed, shrink, noise, name = 9, 0.4, 0.3, names[0]
    weight = dict(load().named_parameters())[name].detach()
    xi = 2 * uniforms(seed, f"shrink/{name}", (8,)) - 1
    bound = math.sqrt(6 / sum(weight.shape))
    values = (1 - shrink) * weight.flatten()[:8] + shrink * noise * bound * xi
    return {"seed": seed, "name": name, "shrink": shrink, "shrink_noise": noise,
            "values": values.tolist()}


def main():
    torch.set_num_threads(1)
    data = json.loads((HERE / "locate" / f"{NAME}.json").read_text())
    names, forget, retain = data["scored"], data["forget"], data["retain"]
    golden = {"surgery": make_surgery(), "weaken": make_weaken(), "model": NAME,
              "rehearsal": make_rehearsal(names, forget),
              "edits": make_edits(names, forget, retain),
              "repselect": make_repselect(names, forget), "shrink": make_shrink(names)}
    text = json.dumps(golden).replace('}, "', '},\n "').replace("}, {", "},\n {")
    path = pathlib.Path(HERE / "tune" / "methods.json")
    path.write_text(text + "\n")
    path.chmod(0o644)


if __name__ == "__main__":
    main()
