"""Makes tests/data/tune/objectives.json: losses and their gradients by autograd in float64, from
the formulas in docs (forget: ga, graddiff, npo, simnpo, ul, po; retain: nll), and
initial_losses.json: the value of every objective before the first step on a tiny checkpoint; and
rows.json and kinds.json: losses that see rows of logits or hidden states, by themselves and through a
model.

Run: python3 make_objective_goldens.py    (torch 2.13.0; for initial_losses.json transformers
                                           5.23.0, tests/data/model and tests/data/locate)

objectives.json: {"cases": [...]}, each case
  name        what it is about
  offsets     [S + 1], the tokens of sequence i are offsets[i] .. offsets[i + 1]
  logp, reference, weight    [N] numbers that fp32 holds exactly
  losses      list of {"objective", "beta" and "delta" where it has them, "loss", "gradient": [N] of
              d loss / d logp}
With NLL_i = -sum_t w_t lp_t, T_i = sum_t w_t, and means over sequences of equal weight; ul is
mean_i (1 / T_i) sum_t -w_t log(1 - exp lp_t).

initial_losses.json
  model       a folder under tests/data/model; the sequences are in tests/data/locate/<model>.json
  refusals    sequences ("tokens", "labels") that take the forget set's place in po
  losses      list of {"objective", "beta", "delta", "loss"} on the whole forget set as one batch,
              with the model itself as the reference
  retain      the nll of the retain set

rows.json: {"kl", "rmu", "activations"}, each a list of cases
  values, reference    [c, n] numbers that fp32 holds exactly: logits (kl) or hidden states
  steering, seed, direction    of rmu; the direction is that of a RandomStream "steering"
  loss, gradient       [c] of each row, and its derivative by the row, [c, n]

kinds.json
  model       a folder under tests/data/model, the reference; in the model that is trained the weights
              in "scaled" are multiplied by a factor
  layer, steering, seed    of rmu and activations
  cases       list of {"objective", "set", "loss", "gradients": {weight: its first rows}}. Label n of
              a sequence weighs (n % 3) / 2, its first one 1.
"""

import json
import math
import pathlib

import torch
import torch.nn.functional as F

HERE = pathlib.Path(__file__).parent
OUT = HERE / "tune"
SETTINGS = ([{"objective": "ga"}, {"objective": "graddiff"}]
            + [{"objective": "npo", "beta": b} for b in (0.05, 0.1, 1.0)]
            + [{"objective": "simnpo", "beta": b, "delta": d}
               for b in (0.5, 4.5) for d in (0.0, 1.0)]
            + [{"objective": "ul"}, {"objective": "po"}, {"objective": "nll"}])


def objective(setting, logp, reference, weight):
    """Each argument but the first: a list of one tensor per sequence."""
    terms = []
    for lp, ref, w in zip(logp, reference, weight):
        nll, tokens = -(w * lp).sum(), w.sum()
        name = setting["objective"]
        if name in ("ga", "graddiff"):
            terms.append(-nll / tokens)
        elif name in ("po", "nll"):
            terms.append(nll / tokens)
        elif name == "npo":
            moved = nll + (w * ref).sum()
            terms.append(-2 / setting["beta"] * F.logsigmoid(setting["beta"] * moved))
        elif name == "simnpo":
            margin = nll / tokens - setting["delta"]
            terms.append(-2 / setting["beta"] * F.logsigmoid(setting["beta"] * margin))
        elif name == "ul":
            terms.append((w * -torch.log1p(-lp.exp())).sum() / tokens)
    return torch.stack(terms).mean()


def rounded(tensor):
    """To fp32 values, so that a reader of the file computes with the same numbers."""
    return tensor.float().double()


def case(name, lengths, generator, logp, reference_noise, weights):
    total = sum(lengths)
    offsets = [0]
    for length in lengths:
        offsets.append(offsets[-1] + length)
    lp = rounded(logp(torch.rand(total, generator=generator, dtype=torch.float64)))
    noise = torch.randn(total, generator=generator, dtype=torch.float64)
    ref = rounded((lp + reference_noise * noise).clamp(max=-1e-4))
    w = rounded(weights(total, offsets, generator))
    lp.requires_grad_(True)
    losses = []
    for setting in SETTINGS:
        parts = [torch.split(x, lengths) for x in (lp, ref, w)]
        loss = objective(setting, *parts)
        (gradient,) = torch.autograd.grad(loss, lp)
        losses.append({**setting, "loss": loss.item(), "gradient": gradient.tolist()})
    return {"name": name, "offsets": offsets, "logp": lp.tolist(), "reference": ref.tolist(),
            "weight": w.tolist(), "losses": losses}


def ones(total, offsets, generator):
    return torch.ones(total)


def keywords(total, offsets, generator):
    """0 or 1; at least one 1 in each sequence."""
    w = (torch.rand(total, generator=generator) < 0.4).double()
    w[torch.tensor(offsets[:-1])] = 1
    return w


def fractions(total, offsets, generator):
    return 0.05 + 2 * torch.rand(total, generator=generator, dtype=torch.float64)


def make_cases():
    generator = torch.Generator().manual_seed(3)
    lengths = [5, 1, 9, 2, 14, 3]

    def usual(u):
        return -(5 * u + 0.01)

    def known(u):  # a memorised answer
        return -(0.001 + 0.05 * u)

    def unlikely(u):  # one long forgotten
        return -(10 + 60 * u)

    return [
        case("every token", lengths, generator, usual, 0.5, ones),
        case("keyword tokens", lengths, generator, usual, 0.5, keywords),
        case("fractional weights", lengths, generator, usual, 0.5, fractions),
        case("one sequence", [7], generator, usual, 0.5, ones),
        case("memorised", lengths, generator, known, 0.01, ones),
        case("far from the reference", lengths, generator, unlikely, 15.0, keywords),
        case("equal to the reference", lengths, generator, usual, 0.0, ones),
    ]


def label_logp(model, sequence):
    logp = torch.log_softmax(model(torch.tensor([sequence["tokens"]])).logits[0].float(), dim=-1)
    at = torch.tensor(sequence["labels"])
    return logp[at - 1, torch.tensor(sequence["tokens"])[at]].double()


def make_initial(name):
    from transformers import AutoModelForCausalLM
    model = AutoModelForCausalLM.from_pretrained(HERE / "model" / name, dtype=torch.float32,
                                                 attn_implementation="eager").eval()
    data = json.loads((HERE / "locate" / f"{name}.json").read_text())
    generator = torch.Generator().manual_seed(8)
    refusals = []
    for sequence in data["forget"]:
        prompt = sequence["tokens"][:sequence["labels"][0]]
        answer = torch.randint(0, model.config.vocab_size, (6,), generator=generator).tolist()
        refusals.append({"tokens": prompt + answer,
                         "labels": list(range(len(prompt), len(prompt) + 6))})
    with torch.no_grad():
        logp = {"forget": [label_logp(model, s) for s in data["forget"]],
                "retain": [label_logp(model, s) for s in data["retain"]],
                "po": [label_logp(model, s) for s in refusals]}
    losses = []
    for setting in SETTINGS:
        if setting["objective"] == "nll":
            continue
        values = logp["po" if setting["objective"] == "po" else "forget"]
        loss = objective(setting, values, values, [torch.ones_like(v) for v in values])
        losses.append({**setting, "loss": loss.item()})
    values = logp["retain"]
    retain = objective({"objective": "nll"}, values, values, [torch.ones_like(v) for v in values])
    return {"model": name, "refusals": refusals, "losses": losses, "retain": retain.item()}


def normals(seed, stream, count):
    """RandomStream(seed, stream).Normal(0 .. count - 1): Philox 4x32-10 keyed by the seed, its counter
    position and the FNV-1a hash of the stream's name, then Box-Muller."""
    mask = 0xFFFFFFFF
    name = 0xCBF29CE484222325
    for byte in stream.encode():
        name = (name ^ byte) * 0x100000001B3 % 2**64
    values = []
    for position in range(count):
        c = [position & mask, position >> 32, name & mask, name >> 32]
        k = [seed & mask, seed >> 32]
        for _ in range(10):
            p, q = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
            c = [q >> 32 ^ c[1] ^ k[0], q & mask, p >> 32 ^ c[3] ^ k[1], p & mask]
            k = [(k[0] + 0x9E3779B9) & mask, (k[1] + 0xBB67AE85) & mask]
        u = [((c[i + 1] << 32 | c[i]) >> 11) * 2.0**-53 for i in (0, 2)]
        values.append(math.sqrt(-2 * math.log(1 - u[0])) * math.cos(2 * math.pi * u[1]))
    return torch.tensor(values, dtype=torch.float64)


def direction(seed, width):
    vector = normals(seed, "steering", width)
    return vector / vector.norm()


def row_losses(objective, values, reference, steering=0.0, seed=0):
    """The loss of each row, [c]."""
    if objective == "kl":
        p, q = reference.log_softmax(-1), values.log_softmax(-1)
        return torch.where(p.exp() > 0, p.exp() * (p - q), 0).sum(-1)
    target = reference if objective == "activations" else steering * direction(seed, values.size(1))
    return (values - target).square().sum(-1)


def make_rows():
    generator = torch.Generator().manual_seed(11)

    def normal(*shape):
        return rounded(torch.randn(*shape, generator=generator, dtype=torch.float64))

    def case(objective, values, reference, **settings):
        values.requires_grad_(True)
        loss = row_losses(objective, values, reference, **settings)
        (gradient,) = torch.autograd.grad(loss.sum(), values)
        row = {"values": values.tolist(), "reference": reference.tolist(), **settings}
        if objective == "rmu":
            row["direction"] = direction(settings["seed"], values.size(1)).tolist()
        return {**row, "loss": loss.tolist(), "gradient": gradient.tolist()}

    logits = normal(4, 50)
    far = 30 * normal(3, 20)  # nearly certain, and of other tokens
    return {
        "kl": [case("kl", 3 * normal(5, 40), 3 * normal(5, 40)),
               case("kl", logits, rounded(logits + 0.01 * normal(4, 50))),
               case("kl", far, rounded(-far))],
        "rmu": [case("rmu", normal(6, 24), normal(6, 24), steering=2.0, seed=0),
                case("rmu", 5 * normal(3, 32), normal(3, 32), steering=6.5, seed=2**40 + 7)],
        "activations": [case("activations", normal(6, 24), normal(6, 24))],
    }


def make_kinds(name):
    from transformers import AutoModelForCausalLM

    def load():
        return AutoModelForCausalLM.from_pretrained(
            HERE / "model" / name, dtype=torch.float32, attn_implementation="eager").double().eval()

    model, untouched = load(), load()
    weights = dict(model.named_parameters())
    scaled = {"model.layers.0.self_attn.q_proj.weight": 0.5,
              "model.layers.1.mlp.down_proj.weight": 1.5, "model.embed_tokens.weight": 1.125}
    with torch.no_grad():
        for weight, factor in scaled.items():
            weights[weight].mul_(factor)
    data = json.loads((HERE / "locate" / f"{name}.json").read_text())
    layer, settings = 1, {"steering": 3.0, "seed": 5}

    def rows(m, sequence, objective):
        """Of the rows that predict the labels."""
        out = m(torch.tensor([sequence["tokens"]]), output_hidden_states=True)
        all_rows = out.logits[0] if objective == "kl" else out.hidden_states[layer + 1][0]
        return all_rows[torch.tensor(sequence["labels"]) - 1]

    cases = []
    for objective, which in (("kl", "retain"), ("rmu", "forget"), ("activations", "retain")):
        losses = []
        for sequence in data[which]:
            with torch.no_grad():
                reference = rows(untouched, sequence, objective)
            loss = row_losses(objective, rows(model, sequence, objective), reference,
                              **(settings if objective == "rmu" else {}))
            w = torch.tensor([1.0] + [n % 3 / 2 for n in range(1, len(loss))], dtype=torch.float64)
            losses.append((w * loss).sum() / w.sum())
        mean = torch.stack(losses).mean()
        model.zero_grad()
        mean.backward()
        wanted = ["model.layers.0.self_attn.k_proj.weight", "model.layers.1.mlp.down_proj.weight",
                  "model.embed_tokens.weight", "model.layers.0.input_layernorm.weight"]
        if objective == "kl":
            wanted += ["model.layers.2.mlp.gate_proj.weight", "model.norm.weight"]
        cases.append({"objective": objective, "set": which, "loss": mean.item(),
                      "gradients": {w: weights[w].grad[:6].tolist() for w in wanted}})
    return {"model": name, "scaled": scaled, "layer": layer, **settings, "cases": cases}


def main():
    torch.set_num_threads(1)
    OUT.mkdir(exist_ok=True)
    text = json.dumps({"cases": make_cases()}).replace("], ", "],\n ")
    (OUT / "objectives.json").write_text(text.replace("}, {", "},\n {") + "\n")
    text = json.dumps(make_initial("llama_gqa_tied"))
    (OUT / "initial_losses.json").write_text(text.replace("}, {", "},\n {") + "\n")
    (OUT / "rows.json").write_text(json.dumps(make_rows()).replace("], [", "],\n [") + "\n")
    text = json.dumps(make_kinds("llama_gqa_tied"))
    (OUT / "kinds.json").write_text(text.replace("], [", "],\n [") + "\n")


if __name__ == "__main__":
    main()
