"""Prints the study's table from its folder: table.py FOLDER."""
import json
import pathlib
import sys

folder = pathlib.Path(sys.argv[1])
ways = ["grin", "salun", "wagle", "snip", "ssd", "perta", "magnitude", "random"]
print("| facts | fraction | known | " + " | ".join(ways) + " |")
print("|---|---|---|" + "---|" * len(ways))
for place in sorted((p.parent for p in folder.glob("*/true.safetensors")),
                    key=lambda p: [float(x) for x in p.name.split("-")]):
    facts, fraction = place.name.split("-")
    knows = json.loads((place / "knows.json").read_text())["facts_keyword_accuracy"]["agg_value"]
    shares = []
    for way in ways:
        overlap = json.loads((place / f"{way}.json").read_text())
        shares.append(f"{100 * overlap['total']['both'] / overlap['total']['b']:.2f} %")
    print(f"| {facts} | {100 * float(fraction):g} % | {knows:.2f} | " + " | ".join(shares) + " |")
