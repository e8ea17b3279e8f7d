#!/usr/bin/env python3
"""WMDP and MMLU: EleutherAI's lm-evaluation-harness against `grin eval`, question by question.

The harness runs its own task definitions; only the place of the data is changed, to local files.
Prints for each task both accuracies, the largest difference of a choice's log-probability, and how
many choices differ; exits with 1 when an accuracy or a choice does.

Needs a Python with lm-eval (tried with 0.4.13), which runs this script. Set in the environment:
  MODEL   checkpoint directory (default ../shared/models/stories15M)
  WMDP    folder with bio_questions.json and so on (default ../shared/data/wmdp)
  MMLU    mmlu.zip (default ../shared/data/mmlu/mmlu.zip)
  TASKS   default wmdp:bio wmdp:cyber mmlu:anatomy mmlu:world_religions
  SHOTS   of mmlu (default 0)
  LIMIT   questions of each task (default 100)
  GRIN    the command (default build/grin)
"""

import csv
import io
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import zipfile

os.environ.update(HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1", TRANSFORMERS_OFFLINE="1")
ROOT = pathlib.Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared"


def setting(name, default):
    return os.environ.get(name) or str(default)


def records(kind, subject, folder):
    """The data as JSON Lines: {split: file}."""
    if kind == "wmdp":
        rows = json.loads(
            (pathlib.Path(setting("WMDP", SHARED / "data/wmdp")) / f"{subject}_questions.json")
            .read_text())
        splits = {"test": rows}
    else:
        splits = {}
        with zipfile.ZipFile(setting("MMLU", SHARED / "data/mmlu/mmlu.zip")) as archive:
            for split in ("test", "dev"):
                text = archive.read(f"data/{split}/{subject}_{split}.csv").decode()
                splits[split] = [
                    {"question": row[0], "choices": row[1:5], "answer": "ABCD".index(row[5])}
                    for row in csv.reader(io.StringIO(text))]
    files = {}
    for split, rows in splits.items():
        path = folder / f"{kind}_{subject}_{split}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        files[split] = str(path)
    return files


def harness(kind, subject, folder, model, shots, limit):
    import lm_eval
    import lm_eval.tasks
    import yaml

    tasks = pathlib.Path(lm_eval.tasks.__file__).parent
    place = tasks / ("wmdp" if kind == "wmdp" else "mmlu/default")
    task = yaml.safe_load((place / "_default_template_yaml").read_text())
    task.update(yaml.safe_load((place / f"{kind}_{subject}.yaml").read_text()))
    for key in ("include", "tag", "task_alias", "dataset_name"):
        task.pop(key, None)
    task.update(task=f"local_{kind}_{subject}", dataset_path="json",
                dataset_kwargs={"data_files": records(kind, subject, folder)})
    result = lm_eval.simple_evaluate(
        model="hf", model_args=f"pretrained={model},dtype=float32", tasks=[task], device="cpu",
        num_fewshot=shots if kind == "mmlu" else 0, limit=limit, batch_size=8, log_samples=True,
        bootstrap_iters=0)
    samples = result["samples"][task["task"]]
    return {sample["doc_id"]: ([float(answer[0]) for answer in sample["filtered_resps"]],
                               float(sample["acc"])) for sample in samples}


def grin(kind, subject, folder, model, shots, limit):
    out = folder / "grin.json"
    data = setting("WMDP", SHARED / "data/wmdp") if kind == "wmdp" else \
        setting("MMLU", SHARED / "data/mmlu/mmlu.zip")
    command = [setting("GRIN", ROOT / "build/grin"), "eval", "--model", model, "--suite", kind,
               "--data", data, "--split", subject, "--limit", str(limit), "--dtype", "float32",
               "--out", str(out), "--force", "--quiet"]
    if kind == "mmlu":
        command += ["--shots", str(shots)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    results = json.loads(out.read_text())
    values = next(r["value_by_index"] for name, r in results.items()
                  if name != "grin" and "value_by_index" in r)
    return {int(index): (entry["logprobs"], float(entry["score"]))
            for index, entry in values.items()}


def main():
    model = str(pathlib.Path(setting("MODEL", SHARED / "models/stories15M")).resolve())
    shots, limit = int(setting("SHOTS", 0)), int(setting("LIMIT", 100))
    tasks = setting("TASKS", "wmdp:bio wmdp:cyber mmlu:anatomy mmlu:world_religions").split()
    lines, same = [], True
    with tempfile.TemporaryDirectory(prefix="choices-") as folder:
        for name in tasks:
            kind, subject = name.split(":")
            theirs = harness(kind, subject, pathlib.Path(folder), model, shots, limit)
            ours = grin(kind, subject, pathlib.Path(folder), model, shots, limit)
            if theirs.keys() != ours.keys():
                sys.exit(f"choices: {name}: the harness has {len(theirs)} questions, grin {len(ours)}")
            accuracy = [sum(score for _, score in side.values()) / len(side)
                        for side in (theirs, ours)]
            worst = max(abs(a - b) for i in theirs for a, b in zip(theirs[i][0], ours[i][0]))
            differ = sum(theirs[i][0].index(max(theirs[i][0])) != ours[i][0].index(max(ours[i][0]))
                         for i in theirs)
            same &= accuracy[0] == accuracy[1] and differ == 0
            lines.append(f"{name:<24}{len(theirs):>10}{accuracy[0]:>10.4f}{accuracy[1]:>10.4f}"
                         f"{worst:>14.1e}{differ:>10}")
    print(f"{'task':<24}{'questions':>10}{'harness':>10}{'grin':>10}{'log-prob':>14}{'choices':>10}")
    print("\n".join(lines))
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
