"""Checks `grin report` on the result files that locuslab published, against their own averages.

Run: TOFU=CHECKOUT GRIN=build/grin python3 check_legacy_results.py     (numpy, scipy)

TOFU is a checkout of github.com/locuslab/tofu (tried with bdc209e). Every model of a family there is
compared with every other retain model as the reference. Prints the largest relative difference of
each number, and fails above 1e-9.
"""

import importlib
import itertools
import json
import os
import pathlib
import subprocess
import sys
import types
import warnings

NAMES = {"Retain": "retain", "Real Authors": "ra", "Real World": "wf", "Forget": "forget"}


def theirs():
    """Their script, without what only its command line needs."""
    hydra, omegaconf = types.ModuleType("hydra"), types.ModuleType("omegaconf")
    hydra.main = lambda **_: lambda function: function
    omegaconf.OmegaConf = None
    sys.modules.update(hydra=hydra, omegaconf=omegaconf)
    sys.path.insert(0, os.environ["TOFU"])
    return importlib.import_module("aggregate_eval_stat")


def pairs(report, utility, quality):
    metrics = report["metrics"]
    yield "forget quality", report["forget_quality"], quality["Forget Quality"]
    yield "distance", report["forget_distance"], quality["KS Test Forget"]
    yield "model utility", report["model_utility"], utility["Model Utility"]
    for name, prefix in NAMES.items():
        probability = metrics.get(f"{prefix}_Q_A_Prob_normalised", metrics[f"{prefix}_Q_A_Prob"])
        yield f"probability, {name}", probability, utility[f"Prob. {name}"]
        yield f"ROUGE, {name}", metrics[f"{prefix}_Q_A_ROUGE"], utility[f"ROUGE {name}"]
        yield f"truth ratio, {name}", metrics[f"{prefix}_Truth_Ratio"], utility[f"Truth Ratio {name}"]


def main():
    warnings.simplefilter("ignore")
    module = theirs()
    logs = sorted(pathlib.Path(os.environ["TOFU"]).glob("data/ft_*/**/eval_log_aggregated.json"))
    worst, compared = {}, 0
    for log, reference in itertools.permutations(logs, 2):
        if "retain" not in str(reference) or ("phi" in str(log)) != ("phi" in str(reference)):
            continue
        report = json.loads(subprocess.run(
            [os.environ.get("GRIN", "build/grin"), "report", log, "--reference", reference, "--json"],
            check=True, stdout=subprocess.PIPE).stdout)
        document = json.loads(log.read_text())
        utility = module.get_model_utility(document)
        quality = module.get_forget_quality(document, json.loads(reference.read_text()))
        for name, found, expected in pairs(report, utility, quality):
            worst[name] = max(worst.get(name, 0.0), float(abs(found - expected) / abs(expected)))
        compared += 1
    for name, difference in worst.items():
        print(f"{name:<30}{difference:.1e}")
    print(f"{compared} pairs of files")
    return 0 if compared and max(worst.values()) < 1e-9 else 1


sys.exit(main())
