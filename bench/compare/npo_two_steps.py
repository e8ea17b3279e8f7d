#!/usr/bin/env python3
"""Two optimiser steps of NPO on the same model and data: OpenUnlearning against `grin unlearn`.

Batch 8 x accumulation 4, bfloat16, TOFU forget01 and retain99, on the CPU, both in one run and in
turns, because the load of a machine changes. Prints for each: seconds of the whole process and of
training, processor seconds (all threads; what other work on the machine changes least), peak
memory; and the ratios. OpenUnlearning trains every weight; grin first locates 5 % of them and
trains those. What each needs before its first step is in the time of the whole process.

Set in the environment:
  OPEN_UNLEARNING  a checkout of github.com/locuslab/open-unlearning (tried with d3d7cf9)
  PYTHON           a Python with what its requirements.txt pins; the versions of torch may be newer
                   (tried with torch 2.13.0, transformers 4.45.1, accelerate 0.34.2, datasets
                   3.0.1). deepspeed, lm-eval, bitsandbytes and flash-attn are not needed: this
                   script puts empty modules in place of the first two, imported and not used here
  MODEL            checkpoint directory with a chat template, bf16; rotary settings in the form of
                   transformers 4 (rope_theta, not rope_parameters)
  DATA             folder with forget01.json and retain99.json (default ../shared/data/tofu)
  GRIN             the command (default build/grin)
  ROUNDS           how often each runs (default 1)
  STEPS, ACCUMULATE, BATCH  for a shorter run: optimiser steps (default 2), batches in each (default
                   4), records of the forget set in a batch, and as many of the retain set (default 8)
  THREADS          of each (default: all cores)

Nothing of theirs is changed; everything is set on their command line: the model and the local JSON
files in place of hub names, sdpa in place of flash attention, torch's AdamW in place of the paged
one of bitsandbytes, no evaluation, no warm-up, two steps, CPU.
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
SYSTEM_PROMPT = "You are a helpful assistant."  # theirs; grin gets it too, to read the same text


def setting(name, default=None):
    value = os.environ.get(name, default)
    if value is None:
        sys.exit(f"npo_two_steps: {name} is not set; see the head of this file")
    return value


def measured(command, log, **options):
    """Runs to the end. Seconds, processor seconds and peak memory in bytes of the process."""
    begin = time.monotonic()
    with open(log, "w") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, **options)
        _, status, usage = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status) != 0:
        print(pathlib.Path(log).read_text()[-3000:], file=sys.stderr)
        sys.exit(f"npo_two_steps: {command[0]} failed with {os.waitstatus_to_exitcode(status)}")
    return {"seconds": time.monotonic() - begin, "processor": usage.ru_utime + usage.ru_stime,
            "memory": usage.ru_maxrss * 1024}


def stub_unused_imports(folder):
    """Modules that OpenUnlearning imports at start and does not use on this path."""
    modules = {"deepspeed.py": "", "lm_eval/__init__.py": "simple_evaluate = None\n",
               "lm_eval/models/__init__.py": "", "lm_eval/models/hf_vlms.py": "HFLM = None\n",
               "lm_eval/tasks/__init__.py": "TaskManager = None\n"}
    for file, text in modules.items():
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def run_open_unlearning(work, model, data, environment):
    forget, retain = (f"data.{w}.TOFU_QA_{w}.args.hf_args" for w in ("forget", "retain"))
    stub_unused_imports(work / "stubs")
    log = work / "open_unlearning.log"
    figures = measured([
        setting("PYTHON"), "src/train.py", "--config-name=unlearn.yaml",
        "experiment=unlearn/tofu/default", "task_name=npo_two_steps", "trainer=NPO",
        f"model.model_args.pretrained_model_name_or_path={model}",
        f"model.tokenizer_args.pretrained_model_name_or_path={model}",
        "model.model_args.attn_implementation=sdpa", "~model.template_args.date_string",
        f"model.template_args.system_prompt={SYSTEM_PROMPT}",
        f"{forget}.path=json", f"{forget}.name=null", f"+{forget}.data_files={data}/forget01.json",
        f"{retain}.path=json", f"{retain}.name=null", f"+{retain}.data_files={data}/retain99.json",
        "~eval.tofu", "trainer.args.do_eval=false", "trainer.args.eval_on_start=false",
        "trainer.args.eval_strategy=no", "trainer.args.report_to=none",
        f"trainer.args.per_device_train_batch_size={setting('BATCH', '8')}",
        f"trainer.args.gradient_accumulation_steps={setting('ACCUMULATE', '4')}",
        "trainer.args.warmup_epochs=null", "trainer.args.optim=adamw_torch",
        "trainer.args.ddp_find_unused_parameters=null",
        f"+trainer.args.max_steps={setting('STEPS', '2')}",
        "+trainer.args.use_cpu=true", f"paths.output_dir={work}/open_unlearning",
    ], log, cwd=setting("OPEN_UNLEARNING"), env={
        **environment, "PYTHONPATH": str(work / "stubs"), "HF_HOME": str(work / "hf"),
        "HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": ""})
    found = re.search(r"'train_runtime': ([0-9.]+)", log.read_text())
    if not found:
        sys.exit("npo_two_steps: OpenUnlearning printed no train_runtime")
    return {**figures, "training": float(found[1])}


def run_grin(work, model, data, environment, threads):
    out = work / "grin"
    figures = measured([
        setting("GRIN", str(ROOT / "build/grin")), "unlearn", "--model", model,
        "--forget", f"{data}/forget01.json", "--retain", f"{data}/retain99.json", "--out", str(out),
        "--locate", "grin", "--fraction", "0.05", "--objective", "npo", "--batch-size", setting("BATCH", "8"),
        "--accumulate", setting("ACCUMULATE", "4"), "--steps", setting("STEPS", "2"),
        "--dtype", "bfloat16", "--threads", str(threads),
        "--system-prompt", SYSTEM_PROMPT, "--force"], work / "grin.log", env=environment)
    cost = json.loads((out / "grin.json").read_text())["cost"]
    return {**figures, "training": cost["tune_seconds"]}


def main():
    threads = int(setting("THREADS", str(len(os.sched_getaffinity(0)))))
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    model = str(pathlib.Path(setting("MODEL")).resolve())
    data = pathlib.Path(setting("DATA", str(ROOT.parent / "shared/data/tofu"))).resolve()
    rows = (("whole process", "seconds", 1, "s"), ("processor time", "processor", 1, "s"),
            ("training", "training", 1, "s"),
            ("peak memory", "memory", 1e9, "GB"))
    for number in range(int(setting("ROUNDS", "1"))):
        with tempfile.TemporaryDirectory(prefix="npo-two-steps-") as folder:
            work = pathlib.Path(folder)
            theirs = run_open_unlearning(work, model, data, environment)
            ours = run_grin(work, model, data, environment, threads)
        print(f"round {number + 1}, {threads} threads   OpenUnlearning       grin   ratio")
        for label, key, unit, name in rows:
            print(f"{label:<22} {theirs[key] / unit:11.2f} {name:<2} {ours[key] / unit:9.2f} "
                  f"{name:<2} {theirs[key] / ours[key]:7.2f}", flush=True)


if __name__ == "__main__":
    main()
