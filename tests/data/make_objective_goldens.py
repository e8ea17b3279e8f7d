"""Makes tests/data/tune/objectives.json: losses and their gradients by autograd in float64, from
the formulas in docs (forget: ga, graddiff, npo, simnpo, ul, po; retain: nll), and
initial_losses.json: the value of every objective before the first step on a tiny checkpoint.

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
"""

import json
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


def main():
    torch.set_num_threads(1)
    OUT.mkdir(exist_ok=True)
    text = json.dumps({"cases": make_cases()}).replace("], ", "],\n ")
    (OUT / "objectives.json").write_text(text.replace("}, {", "},\n {") + "\n")
    text = json.dumps(make_initial("llama_gqa_tied"))
    (OUT / "initial_losses.json").write_text(text.replace("}, {", "},\n {") + "\n")


if __name__ == "__main__":
    main()
