"""Compares `grin locate` and `grin tune --dry-run` with transformers, on any checkpoint and data.

  grin locate --model M --forget F --retain R --locate-sample 0 --dtype float32 \\
    --out mask.safetensors
  for o in ga graddiff npo simnpo ul; do
    grin tune --model M --forget F --retain R --objective $o --dtype float32 --dry-run
  done > losses.jsonl
  python3 check_gri.py M F R --mask mask.safetensors --losses losses.jsonl

Needs torch, transformers 5, safetensors and numpy. It shares no code with grin: tokens come from
the checkpoint's own tokenizer, gradients from autograd, one sequence at a time, in fp32. F and R
are JSONL or JSON arrays. It prints one line for each comparison and ends with status 1 when a mask
overlaps by less than .9995 or a loss is off by more than 1e-5 (relative above 1).

--losses: JSON lines {"objective": o, "forget_loss": x, "retain_loss": y}, or one object {o: x}.
"""

import argparse
import json
import math
import sys

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import safe_open
from transformers import AutoModelForCausalLM, AutoTokenizer

COLUMNS = [("question", "answer"), ("prompt", "response"), ("prompt", "completion"),
           ("instruction", "output")]
MATRICES = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


def read_records(path):
    with open(path, encoding="utf-8") as file:
        text = file.read()
    if text.lstrip().startswith("["):
        records = json.loads(text)
    else:
        records = [json.loads(line) for line in text.splitlines() if line.strip()]
    return [pair_of(record, path) for record in records]


def pair_of(record, path):
    for prompt, response in COLUMNS:
        if prompt in record and response in record:
            return record[prompt], record[response]
    if "text" in record:
        return "", record["text"]
    sys.exit(f"{path}: no known columns among {', '.join(record)}")


def render(tokenizer, template, prompt, response):
    """The text, where the response lies in it, and whether the tokenizer adds its own ends."""
    if not prompt:
        return response, 0, True
    if template == "chat":
        user = [{"role": "user", "content": prompt}]
        head = tokenizer.apply_chat_template(user, tokenize=False, add_generation_prompt=True)
        whole = tokenizer.apply_chat_template(
            user + [{"role": "assistant", "content": response}], tokenize=False)
        start = len(head) if whole.startswith(head) else 0
        return whole, whole.index(response, start), False
    head = f"Question: {prompt}\nAnswer: " if template == "qa" else prompt
    return head + response, len(head), True


def encode(tokenizer, template, prompt, response, longest):
    """Token ids and the positions that are scored: those of the response and of the end token."""
    text, begin, special = render(tokenizer, template, prompt, response)
    end = begin + len(response)
    encoding = tokenizer(text, add_special_tokens=special, return_offsets_mapping=True)
    tokens, spans = encoding["input_ids"], encoding["offset_mapping"]
    answer = [i for i, (a, b) in enumerate(spans) if a < end and b > begin]
    after = answer[-1] + 1
    closes = after < len(tokens) and tokens[after] in tokenizer.all_special_ids
    tokens = tokens[:after] + ([tokens[after]] if closes else [tokenizer.eos_token_id])
    labels = [i for i in answer + [after] if 0 < i < longest]
    return tokens[:longest], labels


def label_logp(model, tokens, labels):
    at = torch.tensor(labels)
    ids = torch.tensor([tokens])
    # In double: over a large vocabulary PyTorch's fp32 sum is off by 3e-7, which is much of 1 - p
    # where p is near 1.
    logp = torch.log_softmax(model(ids).logits[0].double(), dim=-1)
    return logp[at - 1, ids[0, at]]


def mean_gradient(model, sequences, names):
    """Gradient of the mean over sequences of the mean NLL, flat fp32 by name; and label logps."""
    weights = [w for n, w in model.named_parameters() if n in names]
    order = [n for n, _ in model.named_parameters() if n in names]
    sums = [torch.zeros(w.numel()) for w in weights]
    values = []
    for count, (tokens, labels) in enumerate(sequences, start=1):
        logp = label_logp(model, tokens, labels)
        for total, gradient in zip(sums, torch.autograd.grad(-logp.mean(), weights)):
            total += gradient.flatten()
        values.append(logp.detach().double())
        if count % 100 == 0:
            print(f"{count} of {len(sequences)} sequences", file=sys.stderr)
    return {n: s / len(sequences) for n, s in zip(order, sums)}, values


def epsilon_value(text, retain):
    values = np.concatenate([g.abs().numpy() for g in retain.values()])
    if text == "mean":
        return float(values.astype(np.float64).mean())
    if text.endswith("%"):
        rank = math.floor(float(text[:-1]) / 100 * (values.size - 1))
        return float(np.partition(values, rank)[rank])
    return float(text)


def gri_mask(forget, retain, epsilon, fraction):
    """{name: flat bool}: the floor(fraction * N + .5) highest, lower position among equals."""
    names = sorted(forget)
    eps = epsilon_value(epsilon, retain)
    scores = np.concatenate([(forget[n].abs() / (retain[n].abs() + eps)).numpy() for n in names])
    count = math.floor(fraction * scores.size + 0.5)
    mask = np.zeros(scores.size, dtype=bool)
    mask[np.argsort(-scores, kind="stable")[:count]] = True
    ends = np.cumsum([forget[n].numel() for n in names])
    print(f"epsilon {eps:.6e}, {count} of {scores.size} weights")
    return dict(zip(names, np.split(mask, ends[:-1])))


def compare_mask(path, expected):
    ours = sum(int(m.sum()) for m in expected.values())
    theirs = common = 0
    with safe_open(path, "np") as file:
        if set(file.keys()) != set(expected):
            print("FAIL mask covers other weights:", sorted(set(file.keys()) ^ set(expected))[:4])
            return False
        for name, mask in expected.items():
            bits = np.unpackbits(file.get_tensor(name), bitorder="little").astype(bool)
            if bits[mask.size:].any():
                print(f"FAIL {name}: bits set behind the last weight")
                return False
            theirs += int(bits.sum())
            common += int((bits[:mask.size] & mask).sum())
    good = ours == theirs and common / ours >= 0.9995
    print(f"{'ok' if good else 'FAIL'} mask: {theirs} selected, expected {ours}, "
          f"overlap {common / ours:.6f}")
    return good


def initial_losses(forget, retain, settings):
    """Before the first step the reference equals the model; every label has weight 1."""
    def mean(values):
        return torch.stack(values).mean().item()

    nll = [-v.sum() for v in forget]
    ga = mean([-x / len(v) for x, v in zip(nll, forget)])
    simnpo = [-2 / settings.simnpo_beta * F.logsigmoid(
        settings.simnpo_beta * (x / len(v) - settings.delta)) for x, v in zip(nll, forget)]
    return {"ga": ga, "graddiff": ga, "npo": 2 / settings.beta * math.log(2),
            "simnpo": mean(simnpo),
            "ul": mean([-torch.log(-torch.expm1(v)).mean() for v in forget]),
            "retain": mean([-v.mean() for v in retain])}


def compare_losses(path, expected):
    with open(path, encoding="utf-8") as file:
        rows = [json.loads(line) for line in file if line.strip()]
    good = True
    for row in rows:
        pairs = [(k, v) for k, v in row.items() if k in expected]
        if "objective" in row:
            pairs = [(row["objective"], row["forget_loss"])]
            if "retain_loss" in row:
                pairs.append(("retain", row["retain_loss"]))
        for name, value in pairs:
            if name not in expected:
                print(f"?    {name}: not known here")
                continue
            off = abs(value - expected[name]) / max(1, abs(expected[name]))
            good &= off <= 1e-5
            print(f"{'ok' if off <= 1e-5 else 'FAIL'} {name}: {value:.9g}, "
                  f"expected {expected[name]:.9g}")
    return good


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model")
    parser.add_argument("forget")
    parser.add_argument("retain")
    parser.add_argument("--mask")
    parser.add_argument("--losses")
    parser.add_argument("--template", choices=["chat", "qa", "raw"],
                        help="default: chat where the checkpoint has a template, else qa")
    parser.add_argument("--fraction", type=float, default=0.05)
    parser.add_argument("--epsilon", default="50%")
    parser.add_argument("--beta", type=float, default=0.1, help="of npo")
    parser.add_argument("--simnpo-beta", type=float, default=4.5)
    parser.add_argument("--delta", type=float, default=0.0, help="of simnpo")
    parser.add_argument("--limit", type=int, help="only the first records of each set")
    settings = parser.parse_args()

    tokenizer = AutoTokenizer.from_pretrained(settings.model)
    model = AutoModelForCausalLM.from_pretrained(settings.model, dtype=torch.float32).eval()
    template = settings.template or ("chat" if tokenizer.chat_template else "qa")
    longest = model.config.max_position_embeddings
    sets = {}
    for which in ("forget", "retain"):
        encoded = [encode(tokenizer, template, *pair, longest)
                   for pair in read_records(getattr(settings, which))[:settings.limit]]
        sets[which] = [(tokens, labels) for tokens, labels in encoded if labels]
        print(f"{which}: {len(sets[which])} sequences, "
              f"{sum(len(labels) for _, labels in sets[which])} labels, template {template}")
    names = {n for n, w in model.named_parameters()
             if w.dim() == 2 and n.split(".")[-2] in MATRICES} if settings.mask else set()
    if settings.mask:
        forget, forget_logp = mean_gradient(model, sets["forget"], names)
        retain, retain_logp = mean_gradient(model, sets["retain"], names)
    else:
        with torch.no_grad():
            forget_logp, retain_logp = ([label_logp(model, *s).double() for s in sets[which]]
                                        for which in ("forget", "retain"))
    good = True
    if settings.mask:
        expected = gri_mask(forget, retain, settings.epsilon, settings.fraction)
        good &= compare_mask(settings.mask, expected)
    losses = initial_losses(forget_logp, retain_logp, settings)
    if settings.losses:
        good &= compare_losses(settings.losses, losses)
    else:
        print("initial losses:", json.dumps(losses))
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
