#!/usr/bin/env python3
"""The MUSE suite on one model: OpenUnlearning against `grin eval`, values and time, in one run.

As tofu_suite.py, on MUSE's own files: what its default reports, with exact_memorization, by index.

Set in the environment:
  OPEN_UNLEARNING, PYTHON, GRIN, THREADS, KEEP   as for tofu_suite.py
  MODEL  checkpoint directory without a chat template, with 2048 positions or more
  DATA   MUSE's files as the authors' repository has them, data/bbc or data/hp of
         github.com/jaechan-repo/muse_bench
  LIMIT  first so many records of each file (default: all)
"""

import json
import os
import pathlib
import shutil
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from npo_two_steps import ROOT, measured, setting, stub_unused_imports  # noqa: E402
from tofu_suite import compare, show_figures  # noqa: E402

FILES = {"forget_qa": "knowmem/forget_qa", "forget_qa_icl": "knowmem/forget_qa_icl",
         "retain_qa": "knowmem/retain2_qa", "retain_qa_icl": "knowmem/retain2_qa_icl",
         "verbmem": "verbmem/forget", "forget": "privleak/forget", "holdout": "privleak/holdout"}
METRICS = ("forget_knowmem_ROUGE", "retain_knowmem_ROUGE", "forget_verbmem_ROUGE", "mia_min_k",
           "privleak", "extraction_strength", "exact_memorization")


def prepared(data, work):
    """Their files as JSON lines, cut to LIMIT; a text alone becomes a record."""
    limit = int(setting("LIMIT", "0")) or None
    for name, file in FILES.items():
        records = json.loads((data / f"{file}.json").read_text())
        rows = [r if isinstance(r, dict) else {"text": r} for r in records]
        kept = rows if name.endswith("_icl") else rows[:limit]
        (work / f"{name}.jsonl").write_text("".join(json.dumps(r) + "\n" for r in kept))


def open_unlearning(work, model, environment):
    stub_unused_imports(work / "stubs")
    metrics = "eval.muse.metrics"
    places = {}
    for side in ("forget", "retain"):
        at = f"{metrics}.{side}_knowmem_ROUGE.datasets.MUSE_{side}_knowmem.args"
        places[f"{at}.hf_args"] = f"{side}_qa"
        places[f"{at}.few_shot_dataset_hf_args"] = f"{side}_qa_icl"
    for name in ("forget_verbmem_ROUGE", "extraction_strength", "exact_memorization"):
        places[f"{metrics}.{name}.datasets.MUSE_forget_verbmem.args.hf_args"] = "verbmem"
    for side in ("forget", "holdout"):
        places[f"{metrics}.privleak.pre_compute.mia_min_k.datasets.MUSE_MIA_{side}.args"
               ".hf_args"] = side
    overrides = ["+eval/muse_metrics=[exact_memorization]"]
    for place, file in places.items():
        overrides += [f"{place}.path=json", f"{place}.name=null", f"{place}.split=train",
                      f"+{place}.data_files={work}/{file}.jsonl"]
    figures = measured([
        setting("PYTHON"), "src/eval.py", "--config-name=eval.yaml", "experiment=eval/muse/default",
        "task_name=muse_suite", "model=Llama-2-7b-hf",
        f"model.model_args.pretrained_model_name_or_path={model}",
        f"model.tokenizer_args.pretrained_model_name_or_path={model}",
        "++model.model_args.attn_implementation=sdpa", "++model.model_args.torch_dtype=float32",
        "++model.model_args.device_map=cpu", *overrides, f"paths.output_dir={work}/theirs",
    ], work / "open_unlearning.log", cwd=setting("OPEN_UNLEARNING"), env={
        **environment, "PYTHONPATH": str(work / "stubs"), "HF_HOME": str(work / "hf"),
        "HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": ""})
    return figures, json.loads((work / "theirs/MUSE_EVAL.json").read_text())


def grin(work, model, data, environment, threads):
    out = work / "ours.json"
    figures = measured([
        setting("GRIN", str(ROOT / "build/grin")), "eval", "--model", model, "--suite", "muse",
        "--data", str(data), "--out", str(out), "--force", "--template", "qa", "--compat",
        "open-unlearning", "--dtype", "float32", "--quiet", "--threads", str(threads), "--limit",
        setting("LIMIT", "0"), "--metrics", *METRICS], work / "grin.log", env=environment)
    return figures, json.loads(out.read_text())


def main():
    threads = int(setting("THREADS", str(len(os.sched_getaffinity(0)))))
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    model, data = (pathlib.Path(setting(name)).resolve() for name in ("MODEL", "DATA"))
    with tempfile.TemporaryDirectory(prefix="muse-suite-") as folder:
        work = pathlib.Path(folder)
        prepared(data, work)
        their_figures, theirs = open_unlearning(work, model, environment)
        our_figures, ours = grin(work, str(model), data, environment, threads)
        if keep := setting("KEEP", ""):
            pathlib.Path(keep).mkdir(parents=True, exist_ok=True)
            shutil.copy(work / "theirs/MUSE_EVAL.json", keep)
            shutil.copy(work / "ours.json", keep)
    show_figures(threads, their_figures, our_figures)
    compare(theirs, ours)


if __name__ == "__main__":
    main()
