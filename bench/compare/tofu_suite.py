#!/usr/bin/env python3
"""The TOFU suite on one model: OpenUnlearning against `grin eval`, values and time, in one run.

Both evaluate the same checkpoint on the same local files, in fp32 on the CPU, one after the other.
Prints seconds and processor seconds of each whole process and their ratio, then per metric the
largest difference of the values by index. Questions whose generated texts differ are counted; ROUGE
is compared on the others.

Set in the environment:
  OPEN_UNLEARNING  a checkout of github.com/locuslab/open-unlearning (tried with d3d7cf9)
  PYTHON           a Python with what its requirements.txt pins (see npo_two_steps.py)
  MODEL            checkpoint directory (default ../shared/models/stories15M)
  MODEL_CONFIG     OpenUnlearning's name for its kind of model, which sets the template (default
                   Llama-2-7b-hf: "Question: ...\nAnswer: ..."; Llama-3.2-1B-Instruct: the
                   checkpoint's chat template with a system prompt and a date; see configs/model)
  DATA             TOFU's files (default ../shared/data/tofu)
  SPLIT, HOLDOUT   forget split, and the split used as holdout (default forget01, and none: the
                   membership attacks then compare with the first 40 questions of retain_perturbed)
  ALSO             metrics that OpenUnlearning's default leaves out, with commas between them: the
                   membership attacks (mia_loss, ...) and exact_memorization (default none)
  REFERENCE_MODEL  for mia_reference
  METRICS          of grin: same (default), those that OpenUnlearning reports; or all, its suite as
                   it is, with keyword metrics, repetition and every membership attack
  GRIN             the command (default build/grin)
  THREADS          of each (default: all cores)
  KEEP             a folder to leave both result files in
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from npo_two_steps import ROOT, measured, setting, stub_unused_imports  # noqa: E402


def model_config():
    return setting("MODEL_CONFIG", "Llama-2-7b-hf")


def template_flags(work):
    """The flags with which grin writes what OpenUnlearning's model configuration says."""
    file = pathlib.Path(setting("OPEN_UNLEARNING")) / "configs/model" / f"{model_config()}.yaml"
    reader = "import json, sys, yaml; print(json.dumps(yaml.safe_load(sys.stdin)['template_args']))"
    template = json.loads(subprocess.run(
        [setting("PYTHON"), "-c", reader], input=file.read_text(), capture_output=True, text=True,
        check=True).stdout)
    if template["apply_chat_template"]:
        flags = ["--template", "chat"]
        if system := template.get("system_prompt"):
            flags += ["--system-prompt", system]
        if date := template.get("date_string"):
            flags += ["--template-variables", f"date_string={date}"]
        return flags
    path = work / "template.txt"
    path.write_text("".join((template.get("system_prompt_with_special_tokens") or "",
                             template["user_start_tag"], "{prompt}", template["user_end_tag"],
                             template["asst_start_tag"], "{response}")))
    return ["--template", str(path)]


def open_unlearning(work, model, data, split, holdout, environment):
    stub_unused_imports(work / "stubs")
    also = [name for name in setting("ALSO", "").split(",") if name]
    metrics = "eval.tofu.metrics"
    files = {
        "forget_Q_A_Prob.datasets.TOFU_QA_forget": f"{split}_perturbed",
        "forget_Q_A_ROUGE.datasets.TOFU_QA_forget": f"{split}_perturbed",
        "extraction_strength.datasets.TOFU_QA_forget": f"{split}_perturbed",
        "privleak.pre_compute.mia_min_k.datasets.TOFU_QA_forget": f"{split}_perturbed",
        "privleak.pre_compute.mia_min_k.datasets.TOFU_QA_holdout": holdout,
    }
    for truth in ("forget_quality.pre_compute.forget_truth_ratio", "forget_truth_ratio"):
        for kind in ("para", "pert"):
            name = f"{truth}.pre_compute.forget_Q_A_{kind.upper()}_Prob"
            files[f"{name}.datasets.TOFU_QA_forget_{kind}"] = f"{split}_perturbed"
    utility = "model_utility.pre_compute"
    for name in also:
        files[f"{name}.datasets.TOFU_QA_forget"] = f"{split}_perturbed"
        if name.startswith("mia_"):
            files[f"{name}.datasets.TOFU_QA_holdout"] = holdout
    retain = {"Q_A_Prob": "retain_eval", "Q_A_ROUGE": "retain_eval"}
    for metric, name in retain.items():
        files[f"{utility}.retain_{metric}.datasets.TOFU_QA_{name}"] = "retain_perturbed"
    for kind in ("para", "pert"):
        files[f"{utility}.retain_Truth_Ratio.pre_compute.retain_Q_A_{kind.upper()}_Prob"
              f".datasets.TOFU_QA_retain_{kind}"] = "retain_perturbed"
    for short, file in (("ra", "real_authors_perturbed"), ("wf", "world_facts_perturbed")):
        for outer in ("Q_A_Prob_normalised", "Truth_Ratio"):
            at = f"{utility}.{short}_{outer}.pre_compute"
            files[f"{at}.{short}_Q_A_Prob.datasets.TOFU_QA_{short}"] = file
            files[f"{at}.{short}_Q_A_PERT_Prob.datasets.TOFU_QA_{short}_pert"] = file
        files[f"{utility}.{short}_Q_A_ROUGE.datasets.TOFU_QA_{short}"] = file
    overrides = []
    for place, file in files.items():
        at = f"{metrics}.{place}.args.hf_args"
        path = file if file.endswith(".json") else f"{data}/{file}.json"
        overrides += [f"{at}.path=json", f"{at}.name=null", f"+{at}.data_files={path}"]
    if also:
        overrides.insert(0, f"+eval/tofu_metrics=[{','.join(also)}]")
    if "mia_reference" in also:
        overrides.append(f"{metrics}.mia_reference.reference_model_path={setting('REFERENCE_MODEL')}")
    figures = measured([
        setting("PYTHON"), "src/eval.py", "--config-name=eval.yaml", "experiment=eval/tofu/default",
        "task_name=tofu_suite", f"model={model_config()}",
        f"model.model_args.pretrained_model_name_or_path={model}",
        f"model.tokenizer_args.pretrained_model_name_or_path={model}",
        "++model.model_args.attn_implementation=sdpa", "++model.model_args.torch_dtype=float32",
        "++model.model_args.device_map=cpu", *overrides, f"paths.output_dir={work}/theirs",
    ], work / "open_unlearning.log", cwd=setting("OPEN_UNLEARNING"), env={
        **environment, "PYTHONPATH": str(work / "stubs"), "HF_HOME": str(work / "hf"),
        "HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": ""})
    return figures, json.loads((work / "theirs/TOFU_EVAL.json").read_text())


def grin(work, model, data, split, holdout, environment, threads, names):
    out = work / "ours.json"
    metrics = ["--metrics", *names] if setting("METRICS", "same") == "same" else []
    figures = measured([
        setting("GRIN", str(ROOT / "build/grin")), "eval", "--model", model, "--suite", "tofu",
        "--data", str(data), "--split", split, "--holdout", holdout, "--out", str(out), "--force",
        *template_flags(work), "--compat", "open-unlearning", "--dtype", "float32", "--quiet",
        "--threads", str(threads), *metrics,
        *(["--reference-model", setting("REFERENCE_MODEL")] if setting("REFERENCE_MODEL", "") else []),
    ], work / "grin.log", env=environment)
    return figures, json.loads(out.read_text())


def values(result, field):
    for index, entry in (result.get("value_by_index") or {}).items():
        for at, value in enumerate(entry[field] if isinstance(entry[field], list) else
                                   [entry[field]]):
            yield (index, at), value


def compare(theirs, ours):
    print(f"{'metric':<26}{'OpenUnlearning':>16}{'grin':>16}{'largest difference by index':>30}")
    for name, result in sorted(theirs.items()):
        mine = ours.get(name)
        if mine is None:
            print(f"{name:<26} grin has no such metric")
            continue
        if name.startswith("mia_"):
            result_values, mine_values = result["forget"], mine["forget"]
        else:
            result_values, mine_values = result, mine
        entries = list((result_values.get("value_by_index") or {}).values())
        note = ""
        if entries and "generation" in entries[0]:
            other = mine_values["value_by_index"]
            same = [i for i, e in result_values["value_by_index"].items()
                    if e["generation"] == other[i]["generation"]]
            worst = max((abs(result_values["value_by_index"][i][f] - other[i][f]) for i in same
                         for f in ("rouge1_recall", "rougeL_f1", "rougeL_recall")), default=0)
            note = f"{worst:.1e} ({len(same)} of {len(entries)} texts equal)"
        elif entries:
            field = "avg_loss" if "avg_loss" in entries[0] else next(iter(entries[0]))
            other = dict(values(mine_values, field))
            note = f"{max(abs(v - other[k]) for k, v in values(result_values, field)):.1e}"
        show = [r.get("agg_value") for r in (result, mine)]
        shown = [f"{v:16.8f}" if isinstance(v, (int, float)) else f"{v!s:>16}" for v in show]
        print(f"{name:<26}{shown[0]}{shown[1]}{note:>30}")


def show_figures(threads, theirs, ours):
    print(f"{threads} threads            OpenUnlearning       grin   ratio")
    for label, key, unit, name in (("whole process", "seconds", 1, "s"),
                                   ("processor time", "processor", 1, "s"),
                                   ("peak memory", "memory", 1e9, "GB")):
        print(f"{label:<22} {theirs[key] / unit:11.2f} {name:<2} "
              f"{ours[key] / unit:9.2f} {name:<2} "
              f"{theirs[key] / ours[key]:7.2f}")


def main():
    threads = int(setting("THREADS", str(len(os.sched_getaffinity(0)))))
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    model = str(pathlib.Path(
        setting("MODEL", str(ROOT.parent / "shared/models/stories15M"))).resolve())
    data = pathlib.Path(setting("DATA", str(ROOT.parent / "shared/data/tofu"))).resolve()
    split = setting("SPLIT", "forget01")
    with tempfile.TemporaryDirectory(prefix="tofu-suite-") as folder:
        work = pathlib.Path(folder)
        holdout = setting("HOLDOUT", "")
        if not holdout:
            holdout = str(work / "holdout.json")
            lines = (data / "retain_perturbed.json").read_text().splitlines()[:40]
            pathlib.Path(holdout).write_text("\n".join(lines) + "\n")
        their_figures, theirs = open_unlearning(work, model, data, split, holdout, environment)
        our_figures, ours = grin(work, model, data, split, holdout, environment, threads,
                                 sorted(theirs))
        if keep := setting("KEEP", ""):
            pathlib.Path(keep).mkdir(parents=True, exist_ok=True)
            shutil.copy(work / "theirs/TOFU_EVAL.json", keep)
            shutil.copy(work / "ours.json", keep)
    show_figures(threads, their_figures, our_figures)
    compare(theirs, ours)


if __name__ == "__main__":
    main()
