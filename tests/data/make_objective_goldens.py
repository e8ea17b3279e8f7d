"""Makes tests/data/tune/objectives.json: losses and their gradients by autograd in float64, from
the formulas in docs (all that see log-probabilities alone), and
initial_losses.json: the value of every objective before the first step on a tiny checkpoint; and
rows.json and kinds.json: losses that see rows of logits or hidden states, by themselves and through a
model.

Run: python3 make_objective_goldens.py    (torch 2.13.0; for initial_losses.json transformers
                                           5.23.0, tests/data/model and tests/data/locate)

objectives.json: {"cases": [...]}, each case
  name        what it is about
  offsets     [S + 1], the tokens of sequence i are offsets[i] .. offsets[i + 1]
  logp, reference, weight    [N] numbers that fp32 holds exactly
  losses      list of {"objective", its parameters, "loss", "gradient": [N] of d loss / d logp}
With NLL_i = -sum_t w_t lp_t, T_i = sum_t w_t, and means over sequences of equal weight; ul is
mean_i (1 / T_i) sum_t -w_t log(1 - exp lp_t). Of dpo the sequences are pairs, the forgotten one first.

initial_losses.json
  model       a folder under tests/data/model; the sequences are in tests/data/locate/<model>.json
  refusals    sequences ("tokens", "labels") that take the forget set's place in po
  losses      list of {"objective", its parameters, "loss"} on the whole forget set as one batch, with
              the model itself as the reference
  retain      the nll of the retain set

rows.json: {"kl", "js", "undial", "omit", "ceu", "pdu", "rmu", "activations"}, each a list of cases
  values, reference    [c, n] numbers that fp32 holds exactly: logits or hidden states
  tokens, beta         [c] labels; of undial
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
            + [{"objective": "ul"}, {"objective": "po"}, {"objective": "nll"}]
            + [{"objective": "wga", "beta": b} for b in (0.0, 1.0, 2.5)]
            + [{"objective": "satimp", "beta": b, "beta2": c}
               for b, c in ((5.0, 1.0), (1.0, 0.0), (0.5, 2.0))]
            + [{"objective": "jensun"}]
            + [{"objective": "dpo", "beta": b} for b in (0.1, 1.0)])


def objective(setting, logp, reference, weight):
    """Each argument but the first: a list of one tensor per sequence."""
    terms = []
    if setting["objective"] == "dpo":
        ratios = [-(w * (lp - ref)).sum() for lp, ref, w in zip(logp, reference, weight)]
        for forgotten, preferred in zip(ratios[::2], ratios[1::2]):
            margin = setting["beta"] * (forgotten - preferred)
            terms.append(-2 / setting["beta"] * F.logsigmoid(margin))
        return torch.stack(terms).mean()
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
        elif name == "wga":
            p = lp.exp().detach() ** setting["beta"]
            terms.append((w * p * lp).sum() / tokens)
        elif name == "satimp":
            p = lp.exp().detach()
            importance = p ** setting["beta"] * (1 - p) ** setting["beta2"]
            terms.append((w * importance * lp).sum() / tokens)
        elif name == "jensun":
            terms.append((w * one_hot_divergence(lp)).sum() / tokens)
    return torch.stack(terms).mean()


def one_hot_divergence(lp):
    """JS of a distribution with e^lp at one token, the rest on a second one, and that token's one-hot:
    how much of the rest lies on which other tokens makes no difference."""
    p, rest = lp.exp(), -torch.expm1(lp)
    middle, middle_of_rest = (p + 1) / 2, rest / 2
    from_model = p * torch.log(p / middle) + rest * torch.log(rest / middle_of_rest)
    from_target = torch.log(1 / middle)
    return (from_model + from_target) / 2


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
        if setting["objective"] == "dpo" and len(lengths) % 2:
            continue
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
        if setting["objective"] in ("nll", "jensun", "dpo"):  # other sequences
            continue
        values = logp["po" if setting["objective"] == "po" else "forget"]
        loss = objective(setting, values, values, [torch.ones_like(v) for v in values])
        losses.append({**setting, "loss": loss.item()})
    values = logp["retain"]
    retain = objective({"objective": "nll"}, values, values, [torch.ones_like(v) for v in values])
    return {"model": name, "refusals": refusals, "losses": losses, "retain": retain.item()}


def uniform_pairs(seed, stream, count):
    """Of RandomStream(seed, stream) the two numbers in [0, 1) of positions 0 .. count - 1: Philox 4x32-10
    keyed by the seed, its counter position and the FNV-1a hash of the stream's name."""
    mask = 0xFFFFFFFF
    name = 0xCBF29CE484222325
    for byte in stream.encode():
        name = (name ^ byte) * 0x100000001B3 % 2**64
    pairs = []
    for position in range(count):
        c = [position & mask, position >> 32, name & mask, name >> 32]
        k = [seed & mask, seed >> 32]
        for _ in range(10):
            p, q = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
            c = [q >> 32 ^ c[1] ^ k[0], q & mask, p >> 32 ^ c[3] ^ k[1], p & mask]
            k = [(k[0] + 0x9E3779B9) & mask, (k[1] + 0xBB67AE85) & mask]
        pairs.append([((c[i + 1] << 32 | c[i]) >> 11) * 2.0**-53 for i in (0, 2)])
    return pairs


def normals(seed, stream, count):
    """RandomStream(seed, stream).Normal(0 .. count - 1), by Box-Muller."""
    return torch.tensor([math.sqrt(-2 * math.log(1 - u)) * math.cos(2 * math.pi * v)
                         for u, v in uniform_pairs(seed, stream, count)], dtype=torch.float64)


def direction(seed, width):
    vector = normals(seed, "steering", width)
    return vector / vector.norm()


def row_losses(objective, values, reference, tokens=None, steering=0.0, seed=0, beta=0.0):
    """The loss of each row, [c]."""
    if objective == "rmu":
        return (values - steering * direction(seed, values.size(-1))).square().sum(-1)
    if objective == "activations":
        return (values - reference).square().sum(-1)
    logp, logq = torch.log_softmax(values, -1), torch.log_softmax(reference, -1)
    if objective == "kl":
        return (logq.exp() * (logq - logp)).sum(-1)
    if objective == "js":
        middle = torch.log((logp.exp() + logq.exp()) / 2)
        return ((logp.exp() * (logp - middle)).sum(-1) + (logq.exp() * (logq - middle)).sum(-1)) / 2
    if objective == "pdu":
        return (values.max(-1).values - values.mean(-1)) ** 2
    if objective == "undial":
        lowered = reference - beta * F.one_hot(tokens, values.size(-1))
        return F.cross_entropy(values, torch.softmax(lowered, -1), reduction="none")
    if objective == "omit":
        without = reference.clone()
        without.scatter_(-1, tokens.unsqueeze(-1), -math.inf)
        q = torch.softmax(without, -1)
        return torch.special.xlogy(q, q).sum(-1) + F.cross_entropy(values, q, reduction="none")
    without = values.detach().clone()  # ceu
    without.scatter_(-1, tokens.unsqueeze(-1), -math.inf)
    return F.cross_entropy(values, torch.softmax(without, -1), reduction="none")


def make_rows():
    generator = torch.Generator().manual_seed(11)

    def normal(*shape):
        return rounded(torch.randn(*shape, generator=generator, dtype=torch.float64))

    def case(objective, values, reference, **settings):
        values.requires_grad_(True)
        tokens = torch.randint(0, values.size(1), (values.size(0),), generator=generator)
        loss = row_losses(objective, values, reference, tokens, **settings)
        (gradient,) = torch.autograd.grad(loss.sum(), values)
        row = {"values": values.tolist(), "reference": reference.tolist(),
               "tokens": tokens.tolist(), **settings}
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
        "js": [case("js", 3 * normal(5, 40), 3 * normal(5, 40)),
               case("js", 20 * normal(3, 20), 20 * normal(3, 20))],
        "undial": [case("undial", 3 * normal(5, 40), 3 * normal(5, 40), beta=10.0),
                   case("undial", 10 * normal(3, 20), 10 * normal(3, 20), beta=2.0)],
        "ceu": [case("ceu", 3 * normal(5, 40), normal(5, 40)),
                case("ceu", 10 * normal(3, 20), normal(3, 20))],
        "pdu": [case("pdu", 3 * normal(5, 40), normal(5, 40)),
                case("pdu", 30 * normal(2, 20) + 50, normal(2, 20))],
        "omit": [case("omit", 3 * normal(5, 40), 3 * normal(5, 40)),
                 case("omit", 10 * normal(3, 20), 10 * normal(3, 20))],
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
        hidden = objective in ("rmu", "activations")
        all_rows = out.hidden_states[layer + 1][0] if hidden else out.logits[0]
        return all_rows[torch.tensor(sequence["labels"]) - 1]

    cases = []
    for objective, which in (("kl", "retain"), ("rmu", "forget"), ("activations", "retain"),
                             ("js", "retain"), ("undial", "forget"), ("ceu", "forget"),
                             ("pdu", "forget"), ("omit", "forget")):
        losses = []
        for sequence in data[which]:
            with torch.no_grad():
                reference = rows(untouched, sequence, objective)
            tokens = torch.tensor(sequence["tokens"])[torch.tensor(sequence["labels"])]
            own = {"rmu": settings, "undial": {"beta": 10.0}}.get(objective, {})
            loss = row_losses(objective, rows(model, sequence, objective), reference, tokens, **own)
            w = torch.tensor([1.0] + [n % 3 / 2 for n in range(1, len(loss))], dtype=torch.float64)
            losses.append((w * loss).sum() / w.sum())
        mean = torch.stack(losses).mean()
        model.zero_grad()
        mean.backward()
        wanted = ["model.layers.0.self_attn.k_proj.weight", "model.layers.1.mlp.down_proj.weight",
                  "model.embed_tokens.weight", "model.layers.0.input_layernorm.weight"]
        if objective not in ("rmu", "activations"):
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
