"""The other side: transformers' own model, as OpenUnlearning uses it. Each function is a job."""

import json
import time


def synchronise(torch, device):
    if device != "cpu":
        torch.cuda.synchronize()


def type_on(torch, device):
    """bf16; on a CPU, where torch's products in bf16 may take a hundred times as long, fp32."""
    return torch.float32 if device == "cpu" else torch.bfloat16


def measure_rates(device, small):
    """FLOP/s of a large product by type, and bytes/s of a copy, read and written bytes counted."""
    import torch

    rates, side = {}, 256 if small else 8192
    for name in ("bfloat16", "float32"):
        a, b = (torch.randn(side, side, device=device).to(getattr(torch, name)) for _ in range(2))
        out, rounds = torch.empty_like(a), 40 if name == "bfloat16" else 5
        for _ in range(3):
            torch.mm(a, b, out=out)
        synchronise(torch, device)
        begin = time.perf_counter()
        for _ in range(rounds):
            torch.mm(a, b, out=out)
        synchronise(torch, device)
        rates[name] = 2 * side**3 * rounds / (time.perf_counter() - begin)
    source = torch.randint(0, 255, (2**24 if small else 2**32,), dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    target.copy_(source)
    synchronise(torch, device)
    begin = time.perf_counter()
    for _ in range(10):
        target.copy_(source)
    synchronise(torch, device)
    rates["copy"] = 2 * 10 * source.numel() / (time.perf_counter() - begin)
    return rates


def encode_chats(folder, records):
    """[(tokens, labels)]: labels on the answer and its end, as OpenUnlearning has them."""
    from transformers import PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    encoded = []
    for record in records:
        chat = [{"role": "user", "content": record["question"]}]
        asked = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
        whole = tokenizer.apply_chat_template(
            [*chat, {"role": "assistant", "content": record["answer"]}], tokenize=False)
        tokens = tokenizer.encode(whole, add_special_tokens=False)
        head = len(tokenizer.encode(asked, add_special_tokens=False))
        encoded.append((tokens, [-100] * head + tokens[head:]))
    return encoded


def count_tokens(folder, files):
    """For each file: the lengths of its sequences, and how many tokens are labelled."""
    counts = {}
    for file in files:
        encoded = encode_chats(folder, read(file))
        counts[file.name] = {
            "lengths": [len(tokens) for tokens, _ in encoded], "labels": sum(
                sum(label >= 0 for label in labels) for _, labels in encoded)
        }
    return counts


def read(file):
    return [json.loads(line) for line in file.read_text().splitlines()]


def collate(torch, encoded, device):
    """A batch padded on the right to its longest sequence."""
    longest = max(len(tokens) for tokens, _ in encoded)
    ids = torch.tensor([tokens + [0] * (longest - len(tokens)) for tokens, _ in encoded],
                       device=device)
    labels = torch.tensor([labels + [-100] * (longest - len(labels)) for _, labels in encoded],
                          device=device)
    seen = torch.tensor(
        [[1] * len(tokens) + [0] * (longest - len(tokens)) for tokens, _ in encoded], device=device)
    return {"input_ids": ids, "attention_mask": seen, "labels": labels}


def sequence_losses(torch, model, batch):
    """-log-probability of each sequence's labels, [batch]."""
    logits = model(**batch).logits[:, :-1]
    losses = torch.nn.functional.cross_entropy(logits.transpose(1, 2), batch["labels"][:, 1:],
                                               ignore_index=-100, reduction="none")
    return losses.sum(1)


def npo_loss(torch, model, reference, forget, retain, beta=0.1):
    """NPO's loss on a batch, and the retain loss: (sum, forget, retain)."""
    losses = sequence_losses(torch, model, forget)
    with torch.no_grad():
        before = sequence_losses(torch, reference, forget)
    forgotten = -2 / beta * torch.nn.functional.logsigmoid(beta * (losses - before)).mean()
    kept = model(**retain).loss
    return forgotten + kept, forgotten, kept


def npo_steps(folder, from_files, forget_file, retain_file, device, batch, steps):
    """Seconds of each optimiser step of NPO on all records of both files, and the first losses.

    The whole model is trained by AdamW with states of its own type, as transformers' Trainer does
    with a model in bf16, at a norm of at most 1; the reference model stays in memory. Batches of so
    many forget and as many retain records are accumulated to a step. Where AdamW's states do not
    fit, the rest of a step is timed: "optimised" is false. A dictionary with "failed" where even
    that does not fit.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    def load():
        if from_files:
            return AutoModelForCausalLM.from_pretrained(folder, dtype=type_on(torch, device),
                                                        attn_implementation="sdpa").to(device)
        with torch.device(device):
            config = AutoConfig.from_pretrained(folder)
            return AutoModelForCausalLM.from_config(config, dtype=type_on(torch, device),
                                                    attn_implementation="sdpa")

    try:
        forget, retain = (encode_chats(folder, read(file)) for file in (forget_file, retain_file))
        model = load().train()
        reference = load().eval()
        optimiser = torch.optim.AdamW(model.parameters(), lr=1e-5, weight_decay=0.01, fused=True)
        parts = list(range(0, len(forget), batch))
        seconds, losses, optimised = [], [], True
        for _ in range(steps):
            synchronise(torch, device)
            begin = time.perf_counter()
            first = torch.zeros(2, device=device)
            for start in parts:
                both = (
                    collate(torch, rows[start:start + batch], device) for rows in (forget, retain))
                loss, *terms = npo_loss(torch, model, reference, *both)
                (loss / len(parts)).backward()
                first += torch.stack(terms).detach().float() / len(parts)
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            try:
                if optimised:
                    optimiser.step()
            except torch.OutOfMemoryError:
                optimised = False
                optimiser.state.clear()
                torch.cuda.empty_cache()
            optimiser.zero_grad(set_to_none=True)
            losses.append(first.tolist())
            synchronise(torch, device)
            seconds.append(time.perf_counter() - begin)
        return {"seconds": seconds, "losses": losses, "optimised": optimised}
    except torch.OutOfMemoryError as error:
        return {"failed": str(error).split(". ")[0]}


def generate_greedily(folder, prompts, device, new_tokens):
    """Seconds of generate over all prompts in one batch, padded on the left; and the ids."""
    import torch
    from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder, padding_side="left")
    begin = time.perf_counter()
    model = (AutoModelForCausalLM.from_pretrained(folder, dtype=type_on(torch, device),
                                                  attn_implementation="sdpa").to(device).eval())
    synchronise(torch, device)
    seconds = {"load": time.perf_counter() - begin}
    inputs = tokenizer([record["prompt"] for record in read(prompts)], return_tensors="pt",
                       padding=True, add_special_tokens=False).to(device)
    inputs.pop("token_type_ids", None)
    model.generation_config.eos_token_id = None  # every answer runs to its longest, as grin's do

    def timed(count):
        synchronise(torch, device)
        start = time.perf_counter()
        out = model.generate(**inputs, do_sample=False, max_new_tokens=count,
                             pad_token_id=tokenizer.pad_token_id)
        synchronise(torch, device)
        return time.perf_counter() - start, out[:, inputs["input_ids"].shape[1]:].tolist()

    timed(4)
    seconds["all"], answers = timed(new_tokens)
    return {
        "seconds": seconds, "answers": answers, "prompt_tokens": int(inputs["attention_mask"].sum())
    }
