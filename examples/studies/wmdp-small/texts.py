"""Prints the first N records' sentences as plain text: texts.py CORPUS N, one {"text": ...} per line."""
import json
import sys

with open(sys.argv[1], encoding="utf-8") as corpus:
    for _, line in zip(range(int(sys.argv[2])), corpus):
        print(json.dumps({"text": " ".join(json.loads(line)["sentences"])}))
