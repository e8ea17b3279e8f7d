"""Makes tests/data/eval/legacy_*.json: results files with the keys of locuslab's TOFU code, random
values, and what its averages are by numpy and scipy.

Run: python3 make_legacy_results_goldens.py        (numpy, scipy)

  legacy_unlearned.json, legacy_retain.json    four tasks each, values by index
  legacy_expected.json    {"averages": {metric: value} of the first,
                           "model_utility", "forget_quality", "statistic",
                           "truth_ratios": the first five of forget}
"""

import json
import pathlib

import numpy as np
from scipy.stats import hmean, ks_2samp

OUT = pathlib.Path(__file__).parent / "eval"
TASKS = {"eval_log.json": ("retain", 9, 5), "eval_real_author_wo_options.json": ("ra", 7, 3),
         "eval_real_world_wo_options.json": ("wf", 8, 3), "eval_log_forget.json": ("forget", 14, 5)}


def column(values):
    return {str(i): value for i, value in enumerate(values)}


def task(rng, examples, wrong, fluency):
    paraphrased = rng.gamma(2.0, 0.7 / fluency, examples).round(6)
    return {
        "avg_gt_loss": column(rng.gamma(2.0, 0.3 / fluency, examples).round(6).tolist()),
        "num_token_gt": column(rng.integers(3, 40, examples).tolist()),
        "generated_text": column([[f"Question {i}?", f"An answer {i}", f"The answer {i}"]
                                  for i in range(examples)]),
        "rouge1_recall": column(rng.uniform(0.4, 1, examples).round(6).tolist()),
        "rougeL_recall": column(rng.uniform(0.3, 1, examples).round(6).tolist()),
        "average_perturb_loss": column(
            (paraphrased[:, None] + rng.normal(0.5, 1.0, (examples, wrong))).round(6).tolist()),
        "avg_paraphrased_loss": column(paraphrased.tolist()),
    }


def results(seed, fluency):
    rng = np.random.default_rng(seed)
    return {name: task(rng, examples, wrong, fluency)
            for name, (_, examples, wrong) in TASKS.items()}


def array(values):
    return np.array(list(values.values()))


def right_over_wrong(task):
    return np.exp(array(task["average_perturb_loss"]).mean(-1)
                  - array(task["avg_paraphrased_loss"]))


def averages(document):
    values = {}
    for name, (prefix, _, _) in TASKS.items():
        task = document[name]
        right = np.exp(-array(task["avg_gt_loss"]))
        wrong = np.exp(-array(task["average_perturb_loss"]))
        ratio = right_over_wrong(task)
        values[f"{prefix}_Q_A_Prob"] = right.mean()
        values[f"{prefix}_Q_A_PERT_Prob"] = wrong.mean()
        values[f"{prefix}_Q_A_ROUGE"] = array(task["rougeL_recall"]).mean()
        if prefix in ("ra", "wf"):
            values[f"{prefix}_Q_A_Prob_normalised"] = (right / (right + wrong.sum(-1))).mean()
        if prefix == "forget":
            values["forget_truth_ratio"] = np.minimum(ratio, 1 / ratio).mean()
        else:
            values[f"{prefix}_Truth_Ratio"] = np.maximum(0, 1 - 1 / ratio).mean()
    return values


def main():
    OUT.mkdir(exist_ok=True)
    unlearned, retain = results(1, 1.0), results(2, 2.0)
    values = averages(unlearned)
    ratios = [right_over_wrong(document["eval_log_forget.json"]) for document in (unlearned, retain)]
    test = ks_2samp(*ratios)
    expected = {
        "averages": values,
        "model_utility": hmean([values[name] for name in (
            "retain_Q_A_Prob", "retain_Q_A_ROUGE", "retain_Truth_Ratio", "ra_Q_A_Prob_normalised",
            "ra_Q_A_ROUGE", "ra_Truth_Ratio", "wf_Q_A_Prob_normalised", "wf_Q_A_ROUGE",
            "wf_Truth_Ratio")]),
        "forget_quality": test.pvalue,
        "statistic": test.statistic,
        "truth_ratios": (1 / ratios[0])[:5].tolist(),
    }
    for name, document in (("unlearned", unlearned), ("retain", retain), ("expected", expected)):
        (OUT / f"legacy_{name}.json").write_text(json.dumps(document, separators=(",", ":")) + "\n")


main()
