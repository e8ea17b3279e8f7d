"""The rows that are timed: what grin does, beside transformers' own model in the same run."""

import itertools
import json
import statistics

import made
import rival
from job import RowFailure

GB = 1e9
# A random model forgets nothing; the guards against collapse would only cut the work short.
UNGUARDED = ["--collapse", 0, "--outlier", 0]


def prepare(bench, rows):
    """Starts what the rows will need, in the order in which they need it."""
    bench.text = bench.scratch / "text"
    bench.prepare("text", made.write_text, bench.text, bench.small)
    bench.shape = {"1b": made.SMALL_1B if bench.small else made.LLAMA_1B,
                   "8b": made.SMALL_8B if bench.small else made.LLAMA_8B}
    bench.models = {"1b": bench.scratch / "model-1b", "8b": bench.scratch / "model-8b"}
    users = {"1b": {"npo-1b", "generate", "forget10", "suite"}, "8b": {"locate-8b", "npo-8b"}}
    bench.sizes = [size for size in users if users[size] & set(rows)]


def prepare_models(bench, rows):
    """Begins to write the checkpoints and to count; the text must be there."""
    if {"npo-1b", "locate-8b", "npo-8b"} & set(rows):
        names = ("forget32.jsonl", "retain32.jsonl", "forget40.jsonl", "retain256.jsonl")
        bench.prepare("counts", rival.count_tokens, bench.text,
                      [bench.text / name for name in names])
    for size in bench.sizes:
        bench.prepare(size, made.write_checkpoint, bench.models[size], bench.shape[size],
                      bench.text, bench.device, 2 if size == "1b" else 8)


def model(bench, size):
    """The folder of the checkpoint, once it is there."""
    bench.wait_for(size)
    return bench.models[size]


def counts(bench):
    """Lengths and labels of the files of steps, by the tokenizer of transformers."""
    return bench.wait_for("counts")


def training_flops(shape, *parts):
    """Operations that training the blocks' matrices on these sequences takes, at the least.

    6 for each of their weights and token (forward, and backward twice), attention's two products
    over what is before each token, three times, and the head at labelled tokens, forward and
    backward once: it is not trained. Norms, rotations and activations are not counted.
    """
    width = shape["num_attention_heads"] * shape["head_dim"] * shape["num_hidden_layers"]
    flops = 0
    for part in parts:
        flops += 6 * made.block_weights(shape) * sum(part["lengths"])
        flops += 3 * 2 * 2 * width * sum(length * length / 2 for length in part["lengths"])
        flops += 4 * shape["vocab_size"] * shape["hidden_size"] * part["labels"]
    return flops


def rate(bench):
    """The card's ceilings."""
    rates, _ = bench.job(rival.measure_rates, bench.device, bench.small, limit=60)
    bench.rates = rates
    bench.add("bf16 product, 8192^3" if not bench.small else "bf16 product, 256^3",
              rates["bfloat16"] / 1e12, "TFLOP/s")
    bench.add("fp32 product", rates["float32"] / 1e12, "TFLOP/s")
    bench.add("copy, read and written", rates["copy"] / 1e12, "TB/s")


def bf16_rate(bench):
    if not bench.rates:
        bench.rates, _ = bench.job(rival.measure_rates, bench.device, bench.small, limit=60)
    return bench.rates["bfloat16"]


def step_seconds(out):
    """Seconds of an optimiser step, the first two left out, and the first step's record."""
    log = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    times = [0, *(record["seconds"] for record in log)]
    steps = [after - before for before, after in itertools.pairwise(times)]
    return statistics.median(steps[2:]), log[0]


def add_load(bench, name, run):
    bench.add(f"{name}: whole process", run.seconds, "s",
              note=f"of it start and load {run.load_seconds():.1f} s")


def unlearn_steps(bench, name, folder, flags):
    """12 steps of NPO on 32 + 32 records: (the run, seconds of a step, the first step's record)."""
    out = bench.place("out")
    run = bench.grin("unlearn", "--model", folder, "--forget", bench.text / "forget32.jsonl",
                     "--retain", bench.text / "retain32.jsonl", "--out", out, "--batch-size", 32,
                     "--accumulate", 1, "--steps", 12, "--lr", 1e-5, "--keep", "last",
                     "--forget-tokens", "all", "--gamma", 1, "--save-minutes", 0, "--perturb",
                     "none", *UNGUARDED, *flags)
    seconds, first = step_seconds(out)
    bench.remove(out)
    add_load(bench, name, run)
    return run, seconds, first


def add_step(bench, size, name, seconds, theirs=None, of="transformers"):
    """A step's time and its share of the product rate."""
    counted = counts(bench)
    flops = training_flops(bench.shape[size], counted["forget32.jsonl"], counted["retain32.jsonl"])
    if theirs is None:
        bench.add(f"{name}: step", seconds, "s")
    else:
        bench.add(f"{name}: step", seconds, "s", against=theirs, of=of, goal=0.33)
    bench.add(f"{name}: share of the bf16 product rate", flops / seconds / bf16_rate(bench), "",
              goal=0.45 if size == "1b" else None, within="min",
              note=f"{flops / 1e12:.1f} TFLOP a step")


def their_steps(bench, size, from_files, batch, steps):
    value, peak = bench.job(rival.npo_steps, bench.models[size], from_files,
                            bench.text / "forget32.jsonl", bench.text / "retain32.jsonl",
                            bench.device, batch, steps, limit=90)
    if "failed" in value:
        raise RowFailure(f"transformers, batches of {batch}: {value['failed']}")
    value["step"] = statistics.median(value["seconds"][1:])
    value["peak"] = peak
    return value


def npo_1b(bench):
    """A step of NPO at Llama-3.2-1B's shape."""
    folder = model(bench, "1b")
    fastest, least, losses = None, None, None
    for batch in (8, 32):  # OpenUnlearning's batch, four of which make a step; and all at once
        try:
            theirs = their_steps(bench, "1b", True, batch, 5)
        except RowFailure as failure:
            bench.fail(f"transformers, batches of {batch}", failure)
            continue
        bench.add(f"transformers, batches of {batch}: step", theirs["step"], "s")
        bench.add(f"transformers, batches of {batch}: peak", theirs["peak"] / GB, "GB")
        losses = theirs["losses"][0]  # at last of all records in one batch, as grin's are
        fastest = min(fastest or theirs["step"], theirs["step"])
        least = min(least or theirs["peak"], theirs["peak"])
    mask = bench.place("mask-1b.safetensors")
    located = bench.grin("locate", "--model", folder, "--forget", bench.text / "forget32.jsonl",
                         "--retain", bench.text / "retain256.jsonl", "--fraction", 0.05, "--out",
                         mask, "--json")
    bench.add("locate, 32 + 256 records", located.json()["seconds"], "s")
    bench.add("locate: peak", located.peak / GB, "GB")
    kinds = [("grin", [])]
    for name, flags in kinds:
        try:
            run, seconds, first = unlearn_steps(bench, name, folder, ["--mask", mask, *flags])
        except RowFailure as failure:
            bench.fail(name, failure)
            continue
        add_step(bench, "1b", name, seconds, fastest)
        if least:
            bench.add(f"{name}: peak", run.peak / GB, "GB", against=least / GB, of="transformers",
                      goal=0.35)
            if run.peak > .35 * least and not flags:
                # That is what it takes of its own accord; now within what it is told.
                kinds.append(("grin, --memory-budget",
                              ["--memory-budget", f"{int(.33 * least / 1e6)}M"]))
        else:
            bench.add(f"{name}: peak", run.peak / GB, "GB")
        if losses and not flags:
            # The same tokens and labels, so the same loss before anything is trained: both are a
            # mean of about 1,000 values, each rounded to 2^-9 of its size.
            bench.add("first retain loss, relative difference",
                      abs(first["retain_loss"] / losses[1] - 1), goal=2**-9,
                      note=f"{first['retain_loss']:.4f} and transformers' {losses[1]:.4f} nats")


def generate(bench):
    """Greedy answers of a batch."""
    folder, prompts = model(bench, "1b"), bench.text / "prompts.jsonl"
    new, width = (16, 16) if bench.small else (200, 256)
    theirs, _ = bench.job(rival.generate_greedily, folder, prompts, bench.device, new, limit=90)
    times = theirs["seconds"]
    bench.add(f"transformers.generate, {new} tokens each", times["all"], "s",
              note=f"and {times['load']:.1f} s of loading")
    out = bench.place("answers.jsonl")
    command = ["generate", "--model", folder, "--data", prompts, "--template", "raw", "--out", out,
               "--force"]
    for name, flags in (("grin", ["--batch-size", width]), ("grin, default batch", [])):
        run = bench.grin(*command, "--max-new-tokens", new, *flags)
        bench.add(f"{name}: all but start and load", run.seconds - run.load_seconds(), "s",
                  against=times["all"], of="transformers", goal=0.2)
        bench.add(f"{name}: whole process", run.seconds, "s", against=times["all"] + times["load"],
                  of="transformers with its load",
                  note=f"start and load {run.load_seconds():.1f} s, peak {run.peak / GB:.1f} GB")
        if not flags:
            break
        answers = [json.loads(line)["tokens"] for line in out.read_text().splitlines()]
        equal = sum(ours[:1] == other[:1]
                    for ours, other in zip(answers, theirs["answers"], strict=True))
        bench.add("first tokens that are equal", equal / len(answers),
                  note="bf16 logits of a random model tie often: its nearest are about .001 apart")
    bench.remove(out)


def forget10(bench):
    """Locate and ten epochs of forget10, the judge and noise included."""
    folder, out = model(bench, "1b"), bench.place("out")
    run = bench.grin("unlearn", "--model", folder, "--forget", bench.text / "forget10.json",
                     "--retain", bench.text / "retain90.json", "--out", out, "--batch-size", 8,
                     "--accumulate", 4, "--epochs", 10, "--lr", 1e-5, *UNGUARDED)
    document = json.loads((out / "grin.json").read_text())
    cost = document["cost"]
    bench.add("locate and ten epochs", cost["locate_seconds"] + cost["tune_seconds"], "s", goal=20,
              note=f"locate {cost['locate_seconds']:.1f} s")
    bench.add("tokens of training", document["tune"]["tokens"] / cost["tune_seconds"], "tokens/s")
    bench.add("peak", run.peak / GB, "GB")
    add_load(bench, "unlearn", run)
    bench.remove(out)


def suite(bench):
    """TOFU's suite. Random weights never end an answer: the worst case."""
    folder, out = model(bench, "1b"), bench.place("results.json")
    run = bench.grin("eval", "--model", folder, "--suite", "tofu", "--data", bench.text, "--split",
                     "forget10", "--holdout", "holdout10", "--metrics", *SUITE_METRICS,
                     "--max-new-tokens", 16 if bench.small else 200, "--out", out)
    results = json.loads(out.read_text())
    plan = next((line.split(": ")[-1] for _, line in run.lines if "sequences to score" in line), "")
    bench.add("whole process", run.seconds, "s", goal=10,
              note=f"{plan}, each to its longest; load {run.load_seconds():.1f} s")
    bench.add("eval without the program's start", results["grin"]["seconds"], "s")
    bench.add("peak", run.peak / GB, "GB")
    bench.remove(out)


# What OpenUnlearning's suite reports (its configs/eval/tofu.yaml).
SUITE_METRICS = ["forget_quality", "forget_Q_A_Prob", "forget_Q_A_ROUGE", "forget_truth_ratio",
                 "model_utility", "privleak", "extraction_strength"]


def locate_8b(bench):
    """Locate at Llama-3.1-8B's shape within 24 GB."""
    folder = model(bench, "8b")
    mask = bench.place("mask-8b.safetensors")
    counted = counts(bench)
    flops = training_flops(bench.shape["8b"], counted["forget40.jsonl"], counted["retain256.jsonl"])
    run = bench.grin("locate", "--model", folder, "--forget", bench.text / "forget40.jsonl",
                     "--retain", bench.text / "retain256.jsonl", "--fraction", 0.01, "--out", mask,
                     "--json", *budget(bench, 24))
    seconds = run.json()["seconds"]
    bench.add("locate, 40 + 256 records, 1 %", seconds, "s", note=f"{flops / 1e12:.0f} TFLOP")
    bench.add("share of the bf16 product rate", flops / seconds / bf16_rate(bench), goal=0.4,
              within="min")
    bench.add("peak", run.peak / GB, "GB", goal=24)
    add_load(bench, "locate", run)


def budget(bench, gigabytes):
    return ["--memory-budget", f"{gigabytes}G"] if not bench.small else []


def npo_8b(bench):
    """A step of NPO at Llama-3.1-8B's shape, 1 % and 5 %."""
    folder = model(bench, "8b")
    theirs, of = None, "transformers"
    try:
        value = their_steps(bench, "8b", False, 8, 4)
        theirs = value["step"]
        of += "" if value["optimised"] else " without AdamW, which does not fit"
        bench.add("transformers, batches of 8: step", theirs, "s", note=of)
        bench.add("transformers, batches of 8: peak", value["peak"] / GB, "GB")
    except RowFailure as failure:
        bench.add("transformers, batches of 8", "does not fit", note=str(failure)[:120])
    mask = bench.scratch / "mask-8b.safetensors"
    located = mask.exists()  # by the row before, within the same budget
    kinds = [("1 %", 24, ["--mask", mask] if located else ["--fraction", .01]),
             ("5 %", 40, ["--fraction", .05])]
    for name, gigabytes, flags in kinds:
        try:
            run, seconds, _ = unlearn_steps(bench, name, folder,
                                            [*flags, *budget(bench, gigabytes)])
        except RowFailure as failure:
            bench.fail(name, failure)
            continue
        add_step(bench, "8b", name, seconds, theirs, of)
        bench.add(f"{name}: peak", run.peak / GB, "GB", goal=gigabytes)
