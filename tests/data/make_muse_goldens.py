#!/usr/bin/env python3
"""Makes tests/data/eval/muse: sets of our own in MUSE's form, and what OpenUnlearning's evaluation
of tests/data/eval/tofu/model gives for them.

    OPEN_UNLEARNING=... PYTHON=... GRIN=build/grin python3 tests/data/make_muse_goldens.py

(see bench/compare/muse_suite.py, which runs OpenUnlearning.)
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
OUT = HERE / "eval/muse"
ROOT = HERE.parents[1]


def make_data():
    forget, retain = ([json.loads(line) for line in
                       (ROOT / f"examples/people/{name}.jsonl").read_text().splitlines()]
                      for name in ("forget", "retain"))

    def told(records):  # as one text
        return " ".join(f"{r['question']}\n\n{r['answer']}" for r in records)

    def asked(records):
        return [{"question": r["question"], "answer": r["answer"]} for r in records]

    sets = {"knowmem/forget_qa": asked(forget[:4]), "knowmem/forget_qa_icl": asked(forget[4:6]),
            "knowmem/retain2_qa": asked(retain[:4]), "knowmem/retain2_qa_icl": asked(retain[4:6]),
            "verbmem/forget": [{"prompt": told(forget[i:i + 1]), "gt": told(forget[i + 1:i + 3])}
                               for i in range(4)],
            "privleak/forget": [told(forget[i:i + 2]) for i in range(5)],
            "privleak/holdout": [told(retain[i:i + 2]) for i in range(10, 16)]}
    for name, records in sets.items():
        path = OUT / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(records, indent=0) + "\n")


def main():
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    make_data()
    kept = OUT / "kept"
    subprocess.run([sys.executable, ROOT / "bench/compare/muse_suite.py"], check=True, env={
        **os.environ, "MODEL": str(HERE / "eval/tofu/model"), "DATA": str(OUT), "KEEP": str(kept)})
    results = json.loads((kept / "MUSE_EVAL.json").read_text())
    (OUT / "open_unlearning.json").write_text(json.dumps(results, indent=0) + "\n")
    shutil.rmtree(kept)


if __name__ == "__main__":
    main()
