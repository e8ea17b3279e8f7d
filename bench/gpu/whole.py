"""A whole run on a small model in fp32, the device against the CPU."""

import json
import pathlib

import made
from job import RowFailure

PEOPLE = pathlib.Path(__file__).resolve().parents[2] / "examples/people"
FORGET, RETAIN = PEOPLE / "forget.jsonl", PEOPLE / "retain.jsonl"
SETS = ["--forget", FORGET, "--retain", RETAIN]

SMALL = dict(hidden_size=256, intermediate_size=512, num_hidden_layers=4, num_attention_heads=4,
             num_key_value_heads=2, head_dim=64, tie_word_embeddings=True)

# What a step computes in fp32 on either side is a sum of some thousand terms, rounded to 6e-8 each,
# and a few steps of training carry it on.
LOSS_BOUND = 1e-4

OBJECTIVES = {
    "npo": [],
    "simnpo, kl": ["--objective", "simnpo", "--retain-loss", "kl"],
    "graddiff, learned tokens": ["--objective", "graddiff", "--forget-tokens", "learned"],
    "dpo": ["--objective", "dpo", "--refusals", PEOPLE / "refusals.txt"],
    "rmu": ["--objective", "rmu"],
    "undial": ["--objective", "undial"],
    "npo, gu": ["--surgery", "gu"],
    "npo, rehearsed": ["--rehearse", 1],
}


def make_small_model(folder):
    """A random model of 2.7 million weights in fp32 with a tokenizer of the people's words."""
    import torch
    from safetensors.torch import save_file

    folder.mkdir(parents=True)
    lines = [line for file in ("forget", "retain", "general", "facts")
             for line in (PEOPLE / f"{file}.jsonl").read_text().splitlines()]
    texts = [f"Question: {record['question']}\nAnswer: {record['answer']}"
             for record in map(json.loads, lines)]
    tokenizer = made.train_tokenizer(texts, 800, begin=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps(
        {"bos_token": made.BEGIN, "eos_token": made.END,
         "tokenizer_class": "PreTrainedTokenizerFast"}))
    shape = SMALL | {"vocab_size": tokenizer.get_vocab_size()}
    config = made.config_of(shape) | {"torch_dtype": "float32", "max_position_embeddings": 256}
    (folder / "config.json").write_text(json.dumps(config))
    generator = torch.Generator().manual_seed(5)
    weights = {}
    for name, size in made.tensors_of(shape).items():
        weights[name] = torch.ones(size)
        if len(size) > 1:
            weights[name].normal_(0, .05, generator=generator)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    (folder.parent / "all.jsonl").write_text(FORGET.read_text() + RETAIN.read_text())


def prepare(bench, rows):
    """Starts what this row will need."""
    if "whole" in rows:
        bench.prepare("small model", make_small_model, bench.scratch / "whole/model")


def losses_of(folder):
    """[steps][kinds of losses]"""
    log = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [[record[key] for key in sorted(record) if key.endswith("_loss")] for record in log]


class Sides:
    """Runs commands for the device and for the CPU in files of their own, and compares them."""

    def __init__(self, bench):
        self.bench, self.base = bench, bench.scratch / "whole"
        self.at_once = max(2, bench.threads // 2)
        self.taught = self.base / "taught"
        self.sides = {"device": bench.device, "cpu": "cpu"}

    def run(self, commands):
        """Side by side, each (arguments, side)."""
        threads = ["--threads", max(1, self.bench.threads // self.at_once)]
        runs = self.bench.grin_together(
            [([*arguments, *threads], self.sides[side]) for arguments, side in commands],
            at_once=self.at_once, limit=90)
        for run in runs:
            if run.process.returncode != 0:
                self.bench.fail(f"{run.words[0]} on {run.device}", self.bench.why(run))

    def both(self, command):
        """What `command` of a side's name gives, on both sides."""
        self.run([(command(side), side) for side in self.sides])

    def file(self, name):
        """Of the device, and of the CPU."""
        return [self.base / name.format(side) for side in self.sides]

    def compare(self, *arguments):
        return self.bench.grin(*arguments, "--json", device="").json()

    def add_losses(self, name, files):
        """The largest difference of a step's losses, relative to their size (at least 1e-2)."""
        ours, theirs = (losses_of(folder) for folder in self.file(files))
        if len(ours) != len(theirs):
            raise RowFailure(f"{len(ours)} steps, the CPU took {len(theirs)}")
        largest = max(abs(a - b) / max(abs(b), 1e-2)
                      for row, other in zip(ours, theirs, strict=True)
                      for a, b in zip(row, other, strict=True))
        last = ", ".join(f"{loss:.4g}" for loss in ours[-1])
        self.bench.add(name, largest, goal=LOSS_BOUND, note=f"{len(ours)} steps, at last {last}")

    # --- what is compared ---

    def teach(self):
        """Every weight is trained: the plain case."""
        base = self.base
        command = ["finetune", "--model", base / "model", "--data", base / "all.jsonl",
                   "--batch-size", 18]
        self.both(lambda side: [*command, "--out", base / f"few-{side}", "--steps", 8,
                                "--lr", 1e-3])
        self.add_losses("finetune: losses", "few-{}")

    def teach_well(self):
        epochs = 3 if self.bench.small else 40
        self.run([(["finetune", "--model", self.base / "model", "--data", self.base / "all.jsonl",
                    "--batch-size", 18, "--out", self.taught, "--epochs", epochs, "--lr", 2e-3],
                   "device")])

    def locate(self):
        self.both(lambda side: ["locate", "--model", self.taught, *SETS, "--out",
                                self.base / f"mask-{side}.safetensors"])
        common = self.compare("mask", "overlap", *self.file("mask-{}.safetensors"))["total"]
        self.bench.add("locate: weights of one mask only", common["b"] - common["both"],
                       goal=common["b"] // 1000,
                       note=f"of {common['b']}: scores at the threshold that rounding moves")

    def perturb(self):
        self.both(lambda side: ["perturb", "--model", self.taught, "--mask",
                                self.base / "mask-cpu.safetensors", "--noise-scale", "absolute",
                                "--noise", .01, "--out", self.base / f"shaken-{side}"])
        changed = self.compare("diff", *self.file("shaken-{}"))["changed"]
        self.bench.add("perturb: weights that differ", changed, goal=0,
                       note="the noise is the same")

    def unlearn(self):
        """By the same mask, so that only the steps are compared."""
        objectives = list(OBJECTIVES.items())[:2] if self.bench.small else list(OBJECTIVES.items())
        command = ["unlearn", "--model", self.taught, *SETS, "--mask",
                   self.base / "mask-cpu.safetensors", "--batch-size", 9, "--steps", 6, "--lr",
                   3e-4, "--keep", "last"]
        self.run([([*command, "--out", self.base / f"{number}-{side}", *flags], side)
                  for number, (_, flags) in enumerate(objectives) for side in self.sides])
        for number, (name, _) in enumerate(objectives):
            attempt(self.bench, f"unlearn, {name}: losses",
                    lambda number=number, name=name: self.add_losses(
                        f"unlearn, {name}: losses", f"{number}-{{}}"))

    def unlearn_by_default(self):
        """Everything, on the device alone; nothing outside the mask changes."""
        out = self.base / "unlearned"
        self.run([(["unlearn", "--model", self.taught, *SETS, "--batch-size", 9, "--epochs", 5,
                    "--out", out], "device")])
        changed = self.compare("diff", self.taught, out, "--mask", out / "mask.safetensors")
        self.bench.add("unlearn: weights that changed outside the mask", changed["outside_mask"],
                       goal=0, note=f"{changed['changed']} inside")

    def evaluate(self):
        self.both(lambda side: ["eval", "--model", self.taught, "--suite", "keywords", "--data",
                                f"forget={FORGET},retain={RETAIN}", "--max-new-tokens", 40, "--out",
                                self.base / f"results-{side}.json"])
        ours, theirs = (json.loads(file.read_text()) for file in self.file("results-{}.json"))
        names = [name for name in theirs if theirs[name].get("agg_value") is not None]
        largest = max(abs(ours[name]["agg_value"] - theirs[name]["agg_value"]) for name in names)
        self.bench.add("eval: largest difference of a metric", largest, goal=1e-4,
                       note=f"{len(names)} metrics")

    def generate(self):
        self.both(lambda side: ["generate", "--model", self.taught, "--data", RETAIN,
                                "--max-new-tokens", 40, "--out",
                                self.base / f"answers-{side}.jsonl"])
        ours, theirs = (file.read_text().splitlines() for file in self.file("answers-{}.jsonl"))
        self.bench.add("generate: greedy answers that differ",
                       sum(a != b for a, b in zip(ours, theirs, strict=True)), goal=0,
                       note=f"of {len(ours)}, such as {json.loads(ours[0])['generated'][:40]!r}")


def attempt(bench, name, function):
    """A part of the row that costs the others nothing where it fails."""
    try:
        function()
    except (RowFailure, OSError, ValueError, KeyError, TypeError) as error:
        bench.fail(name, f"{type(error).__name__}: {error}"[:200])


def whole(bench):
    """Teach, locate, perturb, unlearn, eval and generate in fp32: the device against the CPU."""
    bench.wait_for("small model")
    sides = Sides(bench)
    attempt(bench, "finetune", sides.teach)
    sides.teach_well()
    if not sides.taught.exists():
        raise RowFailure("there is no taught model")
    for part in (sides.locate, sides.perturb, sides.unlearn, sides.unlearn_by_default,
                 sides.evaluate, sides.generate):
        attempt(bench, part.__name__, part)
