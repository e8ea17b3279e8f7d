"""Prints ten prompts of each category with unsafe answers, or 200 others with safe ones:
pairs.py unsafe|safe FOLDER."""
import csv
import json
import pathlib
import sys

kind, folder = sys.argv[1], pathlib.Path(sys.argv[2])
seen = set()


def pairs(path, column, count):
    """The first `count` records of the table whose prompt was not seen yet."""
    with path.open(newline="", encoding="utf-8") as table:
        for row in csv.DictReader(table):
            if count == 0:
                return
            if row["prompt"] in seen or not row[column].strip():
                continue
            seen.add(row["prompt"])
            count -= 1
            yield {"prompt": row["prompt"], "response": row[column]}


unsafe = [pair for path in sorted((folder / "pairs_by_category").glob("*.csv"))
          for pair in pairs(path, "unsafe_response", 10)]
for pair in unsafe if kind == "unsafe" else pairs(folder / "safe_test.csv", "response", 200):
    print(json.dumps(pair))
