"""Prints ten prompts of each category with unsafe answers, or 200 with safe ones: pairs.py unsafe|safe FOLDER."""
import csv
import json
import pathlib
import sys

kind, folder = sys.argv[1], pathlib.Path(sys.argv[2])
if kind == "unsafe":
    files = [(path, "unsafe_response", 10) for path in sorted((folder / "pairs_by_category").glob("*.csv"))]
else:
    files = [(folder / "safe_test.csv", "response", 200)]
seen = set()
for path, column, count in files:
    with path.open(newline="", encoding="utf-8") as table:
        for row in csv.DictReader(table):
            if count == 0:
                break
            if row["prompt"] in seen or not row[column].strip():
                continue
            seen.add(row["prompt"])
            count -= 1
            print(json.dumps({"prompt": row["prompt"], "response": row[column]}))
