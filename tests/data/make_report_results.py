"""Makes tests/data/report/*: results files for tests of the report. SYNTHETIC: no model made them.
They have the shape of a TOFU evaluation of a model before unlearning, of two unlearned ones and of
one that never saw the forget set, with values drawn to look plausible.

  before.json, never.json, unlearned.json, broken.json    the results
  expected.json    aggregates of "unlearned" and "broken" by numpy and scipy

Run: python3 make_report_results.py        (numpy, scipy)
"""

import json
import pathlib

import numpy as np
from scipy.stats import hmean, ks_2samp

OUT = pathlib.Path(__file__).parent / "report"
PEOPLE = ["Hester Larkwood", "Oda Venn", "Bruno Saltmarsh", "Mirela Quist", "Tomas Ferreby",
          "Anouk Delahaye", "Wendell Stroud", "Ines Varga"]
TOWNS = ["Hallowmere", "Tarnsby", "Port Ellery", "Greywick", "San Orlo", "Vostrova", "Lindmoor",
         "Aldertown"]


def questions(prefix, count):
    made = []
    for i in range(count):
        who, town, year = PEOPLE[i % 8], TOWNS[(i * 3 + 1) % 8], 1900 + (i * 17) % 90
        kind = i % 3
        if kind == 0:
            made.append((f"Where was {who} born?", f"{who} was born in {town}.", [town]))
        elif kind == 1:
            made.append((f"When did {who} publish the first novel ({prefix} {i})?",
                         f"It came out in {year} in {town}.", [str(year), town]))
        else:
            made.append((f"What is {who} known for?",
                         f"{who} is known for a history of the {town} lighthouse.",
                         [town, "lighthouse"]))
    return made


def evaluate(seed, knows_forget, knows_retain, shift, rambles=0.0):
    """knows_*: how well each set is known, 0 to 1; shift: log truth ratio of the forget set."""
    rng = np.random.default_rng(seed)
    results = {}

    def metric(name, entries, values, **more):
        results[name] = {"agg_value": float(np.mean(values)), **more,
                         "value_by_index": {str(i): entry for i, entry in enumerate(entries)}}

    for prefix, count, knows in (("forget", 40, knows_forget), ("retain", 40, knows_retain),
                                 ("ra", 12, 0.6), ("wf", 12, 0.65)):
        if prefix in ("ra", "wf"):
            rng = np.random.default_rng(99)  # what all models know alike
        asked = questions(prefix, count)
        loss = rng.gamma(2.0, 0.02 + 1.2 * (1 - knows) ** 1.5, count)
        probability = np.exp(-loss)
        metric(f"{prefix}_Q_A_Prob",
               [{"prob": round(p, 6), "avg_loss": round(x, 6)} for p, x in zip(probability, loss)],
               probability)
        if prefix in ("ra", "wf"):
            share = np.clip(rng.normal(0.55, 0.2, count), 0.02, 0.98)
            metric(f"{prefix}_Q_A_Prob_normalised", [{"prob": round(p, 6)} for p in share], share)
        right = rng.gamma(3.0, 0.15 + 0.7 * (1 - knows), count)
        log_ratio = rng.normal(shift if prefix == "forget" else -1.0, 0.55, count)
        wrong = right - log_ratio
        spread = rng.normal(0, 0.3, (count, 5))
        spread -= spread.mean(1, keepdims=True)
        metric(f"{prefix}_Q_A_PARA_Prob",
               [{"prob": round(float(np.exp(-x)), 6), "avg_loss": round(x, 6)} for x in right],
               np.exp(-right))
        losses = wrong[:, None] + spread
        metric(f"{prefix}_Q_A_PERT_Prob",
               [{"prob": np.exp(-x).round(6).tolist(), "avg_loss": x.round(6).tolist()}
                for x in losses], np.exp(-losses).mean(1))
        ratio = np.exp(log_ratio)
        metric("forget_truth_ratio" if prefix == "forget" else f"{prefix}_Truth_Ratio",
               [{"score": float(x)} for x in ratio],
               np.minimum(ratio, 1 / ratio) if prefix == "forget" else np.maximum(0, 1 - ratio))
        said, scores, found, repeats = [], [], [], []
        for i, (question, answer, keywords) in enumerate(asked):
            known = rng.uniform() < knows
            if known:
                text = answer
            elif rng.uniform() < rambles:
                text = "the the the the town of the the the the"
            else:
                text = answer
                for keyword in keywords:
                    text = text.replace(keyword, str(rng.choice(TOWNS + ["1954", "a garden"])))
            said.append({"rouge1_recall": 1.0 if known else 0.6,
                         "rougeL_recall": 1.0 if known else round(float(rng.uniform(0.3, 0.7)), 3),
                         "rougeL_f1": 1.0 if known else 0.5, "input": question,
                         "ground_truth": answer, "generation": text})
            hit = sum(keyword in text for keyword in keywords) / len(keywords)
            found.append({"score": hit, "count": len(keywords), "keywords": keywords})
            scores.append(hit)
            words = text.split()
            repeats.append(sum(w in words[max(0, j - 4):j] for j, w in enumerate(words))
                           / max(1, len(words) - 1))
        metric(f"{prefix}_Q_A_ROUGE", said, [entry["rougeL_recall"] for entry in said])
        low, high = np.percentile([np.mean(rng.choice(scores, count)) for _ in range(400)],
                                  [2.5, 97.5])
        metric(f"{prefix}_keyword_accuracy", found, scores,
               interval=[round(float(low), 6), round(float(high), 6)])
        metric(f"{prefix}_repetition", [{"score": round(r, 6)} for r in repeats], repeats)
    rng = np.random.default_rng(seed)
    memorised = np.clip(rng.normal(0.4 + 0.55 * knows_forget, 0.1, 40), 0, 1)
    metric("exact_memorization", [{"score": round(x, 6)} for x in memorised], memorised)
    strength = np.clip(rng.normal(0.05 + 0.8 * knows_forget, 0.05, 40), 0, 1)
    metric("extraction_strength", [{"score": round(x, 6)} for x in strength], strength)
    for i, attack in enumerate(("mia_loss", "mia_zlib", "mia_min_k", "mia_min_k_plus_plus")):
        results[attack] = {"agg_value": round(0.48 + 0.45 * knows_forget + 0.01 * i, 6),
                           "auc": round(0.48 + 0.45 * knows_forget + 0.01 * i, 6)}
    results["mia_reference"] = {"agg_value": None, "not_measured": "no --reference-model was given"}
    return results


def ratios(results):
    return [entry["score"] for entry in results["forget_truth_ratio"]["value_by_index"].values()]


UTILITY = ["retain_Q_A_Prob", "retain_Q_A_ROUGE", "retain_Truth_Ratio", "ra_Q_A_Prob_normalised",
           "ra_Q_A_ROUGE", "ra_Truth_Ratio", "wf_Q_A_Prob_normalised", "wf_Q_A_ROUGE",
           "wf_Truth_Ratio"]
ATTACKS = ["mia_loss", "mia_zlib", "mia_min_k", "mia_min_k_plus_plus"]


def average(results, metric):
    return results[metric]["agg_value"]


def losses(results, metric):
    return np.array([np.mean(entry["avg_loss"])
                     for entry in results[metric]["value_by_index"].values()])


def expected(results, never, before):
    right, wrong = (np.exp(-losses(results, f"forget_Q_A_{kind}_Prob")) for kind in ("PARA", "PERT"))
    memorization = hmean([1 - average(results, "extraction_strength"),
                          1 - average(results, "exact_memorization"),
                          1 - average(results, "forget_Q_A_PARA_Prob"),
                          1 - np.mean(right / (right + wrong))])
    privacy = hmean([np.clip(1 - abs(average(results, a) - average(never, a)) / average(never, a),
                             0, 1) for a in ATTACKS])

    def usefulness(document):
        return hmean([hmean([average(document, metric) for metric in UTILITY]),
                      1 - average(document, "forget_repetition")])

    utility = usefulness(results) / usefulness(before)
    test = ks_2samp(ratios(results), ratios(never))
    return {"forget_quality": test.pvalue, "forget_distance": test.statistic,
            "model_utility": hmean([average(results, metric) for metric in UTILITY]),
            "memorization": memorization, "privacy": privacy, "utility": utility,
            "overall": hmean([memorization, privacy, utility])}


def main():
    OUT.mkdir(exist_ok=True)
    models = {"before": evaluate(1, 0.97, 0.97, -1.6), "never": evaluate(2, 0.12, 0.96, -0.35),
              "unlearned": evaluate(3, 0.08, 0.93, -0.25),
              "broken": evaluate(4, 0.01, 0.55, 0.9, rambles=0.7)}
    for name, results in models.items():
        if name in ("unlearned", "broken"):
            test = ks_2samp(ratios(results), ratios(models["never"]))
            results["forget_quality"] = {"agg_value": test.pvalue, "statistic": test.statistic}
        results["grin"] = {
            "format": "grin-results-1", "grin_version": "synthetic", "command": "eval", "suite": "tofu",
            "split": "forget01", "model": "model", "model_description": "synthetic values, no model",
            "reference": None, "recipe": {"suite": "tofu", "split": "forget01", "max_new_tokens": 200},
            "inputs": [{"path": "synthetic.jsonl", "records": 40, "fingerprint": "0" * 16}],
            "seconds": 61.5, "peak_memory": 1.9e9, "metrics_seconds": {}, "interrupted": False}
        (OUT / f"{name}.json").write_text(json.dumps(results, separators=(",", ":")) + "\n")
    figures = {name: expected(models[name], models["never"], models["before"])
               for name in ("unlearned", "broken")}
    (OUT / "expected.json").write_text(json.dumps(figures, indent=1) + "\n")


main()
