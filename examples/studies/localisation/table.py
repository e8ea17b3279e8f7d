"""Prints the study's table from its folder: table.py FOLDER."""
import json
import pathlib
import sys

folder = pathlib.Path(sys.argv[1])
ways = ["grin", "salun", "wagle", "snip", "ssd", "perta", "magnitude", "random"]
places = {"0.5%": "random 0.5 %", "5%": "random 5 %", "20%": "random 20 %", "layer": "one layer's MLP"}
print("| facts | place | chance | known | " + " | ".join(ways) + " |")
print("|---|---|---|---|" + "---|" * len(ways))
for facts in (10, 40):
    for place, label in places.items():
        where = folder / f"{facts}-{place}"
        if not (where / "random.json").exists():
            continue
        knows = json.loads((where / "knows.json").read_text())["facts_keyword_accuracy"]["agg_value"]
        shares = []
        for way in ways:
            total = json.loads((where / f"{way}.json").read_text())["total"]
            shares.append(f"{100 * total['both'] / total['b']:.2f} %")
        chance = f"{100 * total['a'] / total['entries']:.2f} %"
        print(f"| {facts} | {label} | {chance} | {knows:.2f} | " + " | ".join(shares) + " |")
