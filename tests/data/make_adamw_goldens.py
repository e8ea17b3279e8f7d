"""Makes tests/data/tune/adamw.json: steps of torch.optim.AdamW on a dense tensor, gradient
clipping, and the learning-rate schedules of transformers.

Run: python3 make_adamw_goldens.py        (torch 2.13.0, transformers 5.23.0)

  runs        list of {"name", "beta1", "beta2", "eps", "weight_decay", "shape",
              "weight": flat start,
              "steps": [{"lr", "gradient": flat, "weight": flat after the step}],
              "selected": ascending flat positions, a mask for tests to use,
              "bfloat16_weight": the final weights rounded to bf16, nearest even}; numbers are fp32
  clips       list of {"max_norm", "gradients": [[...], ...], "norm", "clipped": [[...], ...]}
  schedules   list of {"schedule", "warmup", "steps", "factors": [steps]}
"""

import json
import pathlib

import torch
from transformers import (get_constant_schedule_with_warmup, get_cosine_schedule_with_warmup,
                          get_linear_schedule_with_warmup)

OUT = pathlib.Path(__file__).parent / "tune"


def run(name, seed, lrs, gradient_scale, **settings):
    generator = torch.Generator().manual_seed(seed)
    shape = [7, 9]
    weight = torch.nn.Parameter(torch.randn(shape, generator=generator))
    start = weight.detach().flatten().tolist()
    optimizer = torch.optim.AdamW([weight], foreach=False, fused=False, **settings)
    steps = []
    for lr in lrs:
        for group in optimizer.param_groups:
            group["lr"] = lr
        gradient = gradient_scale * torch.randn(shape, generator=generator)
        gradient.view(-1)[::10] = 0          # weights without a gradient still decay
        gradient.view(-1)[3::20] *= 1e-7     # and a tiny one is a full step
        weight.grad = gradient
        optimizer.step()
        steps.append({"lr": lr, "gradient": gradient.flatten().tolist(),
                      "weight": weight.detach().flatten().tolist()})
    selected = torch.randperm(63, generator=generator)[:20].sort().values.tolist()
    group = optimizer.param_groups[0]
    return {"name": name, "beta1": group["betas"][0], "beta2": group["betas"][1],
            "eps": group["eps"], "weight_decay": group["weight_decay"], "shape": shape,
            "weight": start, "steps": steps, "selected": selected,
            "bfloat16_weight": weight.detach().bfloat16().float().flatten().tolist()}


def clip(seed, scale, max_norm):
    generator = torch.Generator().manual_seed(seed)
    parameters = []
    for size in (5, 1, 12):
        parameter = torch.nn.Parameter(torch.zeros(size))
        parameter.grad = scale * torch.randn(size, generator=generator)
        parameters.append(parameter)
    before = [p.grad.tolist() for p in parameters]
    norm = torch.nn.utils.clip_grad_norm_(parameters, max_norm)
    return {"max_norm": max_norm, "gradients": before, "norm": norm.item(),
            "clipped": [p.grad.tolist() for p in parameters]}


def schedule(name, warmup, steps):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    if name == "constant":
        rates = get_constant_schedule_with_warmup(optimizer, warmup)
    else:
        make = {"linear": get_linear_schedule_with_warmup,
                "cosine": get_cosine_schedule_with_warmup}[name]
        rates = make(optimizer, warmup, steps)
    factors = []
    for _ in range(steps):
        factors.append(rates.get_last_lr()[0])
        optimizer.step()
        rates.step()
    return {"schedule": name, "warmup": warmup, "steps": steps, "factors": factors}


def main():
    torch.set_num_threads(1)
    falling = [1e-3, 8e-4, 6e-4, 4e-4, 2e-4, 0.0]
    golden = {
        "runs": [
            run("defaults", 1, falling, 0.1, weight_decay=0.01),
            run("large steps", 2, [0.1, 0.1, 0.05], 3.0, weight_decay=0.1, betas=(0.9, 0.95),
                eps=1e-6),
            run("no decay, warm-up", 3, [0.0, 1e-2, 2e-2], 1e-4, weight_decay=0.0),
        ],
        "clips": [clip(4, 1.0, 1.0), clip(5, 0.01, 1.0), clip(6, 100.0, 0.3)],
        "schedules": [schedule(name, warmup, steps)
                      for name in ("linear", "cosine", "constant")
                      for warmup, steps in ((0, 7), (3, 11), (1, 1))],
    }
    OUT.mkdir(exist_ok=True)
    text = json.dumps(golden).replace("}, {", "},\n {").replace("], ", "],\n ")
    (OUT / "adamw.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
