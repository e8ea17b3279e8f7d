#!/usr/bin/env python3
"""Text to ids on one thread: the `tokenizers` package against `grin tokenize`, in the same run.

For each tokenizer and in turns, because the load of a machine changes: processor seconds to load
it, and to encode every line of a text; the lowest of all rounds. What grin needs to encode is the
time of the whole process less that of a run on one word, so it includes the writing of the ids; the
package's is that of encode_batch alone. Both give the same ids, or this script fails. Prints the
ratios: above 1, grin is faster.

Run as `bench/compare/tokenizer_throughput.py [TOKENIZER ...]`: tokenizer.json files, by default those of
../shared/tokenizers. Set in the environment:
  PYTHON  a Python with tokenizers (tried with 0.23.3; default: this one)
  GRIN    the command (default build/grin)
  TEXT    default ../shared/data/text/wiki.test.raw
  ROUNDS  how often each runs (default 5)
"""

import json
import os
import pathlib
import platform
import resource
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared"
PYTHON = os.environ.get("PYTHON", sys.executable)
GRIN = os.environ.get("GRIN", str(ROOT / "build" / "grin"))
TEXT = os.environ.get("TEXT", str(SHARED / "data" / "text" / "wiki.test.raw"))
ROUNDS = int(os.environ.get("ROUNDS", "5"))
ONE_THREAD = os.environ | {"RAYON_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false",
                           "OMP_NUM_THREADS": "1"}

THEIRS = """
import json, sys, time
import tokenizers
lines = open(sys.argv[2], encoding="utf-8", newline="").read().split("\\n")
if lines[-1] == "":
    lines.pop()
begin = time.process_time()
tokenizer = tokenizers.Tokenizer.from_file(sys.argv[1])
tokenizer.no_truncation()
tokenizer.no_padding()
loaded = time.process_time()
encodings = tokenizer.encode_batch(lines)
encoded = time.process_time()
json.dump({"load": loaded - begin, "encode": encoded - loaded, "version": tokenizers.__version__,
           "ids": [encoding.ids for encoding in encodings]}, sys.stdout)
"""


def theirs(tokenizer):
    run = subprocess.run([PYTHON, "-c", THEIRS, tokenizer, TEXT], env=ONE_THREAD, check=True,
                         stdout=subprocess.PIPE)
    return json.loads(run.stdout)


def processor_seconds():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def ours(tokenizer, text):
    """Processor seconds of the process, and its ids."""
    with tempfile.TemporaryFile() as out:
        begin = processor_seconds()
        subprocess.run([GRIN, "tokenize", "--threads", "1", "--model", tokenizer, "--file", text],
                       env=ONE_THREAD, check=True, stdout=out)
        seconds = processor_seconds() - begin
        out.seek(0)
        return seconds, [json.loads(line) for line in out]


def main():
    files = sys.argv[1:] or sorted(map(str, SHARED.glob("tokenizers/*/*tokenizer.json")))
    if not files:
        sys.exit("tokenize: no tokenizer.json given, and none in ../shared/tokenizers")
    size = os.path.getsize(TEXT) / 1e6
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as word:
        word.write("word\n")
        word.flush()
        print(f"{TEXT} ({size:.2f} MB), one thread, {platform.processor() or platform.machine()}, "
              f"lowest of {ROUNDS} rounds; encode: MB per processor second")
        print(f"{'tokenizer':28} {'tokenizers':>10} {'grin':>10} {'ratio':>6}   load, s (theirs, grin's)")
        for file in files:
            best = {"theirs": 1e9, "theirs load": 1e9, "whole": 1e9, "ours load": 1e9}
            for _ in range(ROUNDS):
                reference = theirs(file)
                start, _ = ours(file, word.name)
                whole, ids = ours(file, TEXT)
                if ids != reference["ids"]:
                    first = next(i for i, (a, b) in enumerate(zip(ids, reference["ids"])) if a != b)
                    sys.exit(f"tokenize: {file}: the ids of line {first + 1} differ")
                for name, seconds in (("theirs", reference["encode"]), ("whole", whole),
                                      ("theirs load", reference["load"]), ("ours load", start)):
                    best[name] = min(best[name], seconds)
            encode = best["whole"] - best["ours load"]
            name = "/".join(pathlib.Path(file).parts[-2:])
            print(f"{name:28} {size / best['theirs']:10.1f} {size / encode:10.1f} "
                  f"{best['theirs'] / encode:6.1f}   "
                  f"{best['theirs load']:.2f}, {best['ours load']:.2f}")


if __name__ == "__main__":
    main()
