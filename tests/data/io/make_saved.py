"""Makes saved/ and saved_splits/: what save_to_disk of the package `datasets` leaves.

Needs `pip install datasets==3.0.1 "pyarrow<18"`. Run as `python3 make_saved.py`. The records of saved/
are 0 to 11, in that order.
"""

import os
import shutil

from datasets import ClassLabel, Dataset, DatasetDict, Features, Value

HERE = os.path.dirname(os.path.abspath(__file__))
FEATURES = Features({"question": Value("string"), "answer": Value("string"),
                     "kind": ClassLabel(names=["even", "odd"]),
                     "turns": [{"role": Value("string"), "content": Value("large_string")}]})


def records(first, count):
    return Dataset.from_list([{"question": f"What is {i}?", "answer": f"{i}.", "kind": i % 2,
                               "turns": [{"role": "user", "content": str(i)}]}
                              for i in range(first, first + count)], features=FEATURES)


def main():
    for name in ("saved", "saved_splits"):
        shutil.rmtree(os.path.join(HERE, name), ignore_errors=True)
    # Rows that were chosen are written out in their order.
    records(0, 12).select(range(11, -1, -1)).select(range(11, -1, -1)).save_to_disk(
        os.path.join(HERE, "saved"), num_shards=3)
    DatasetDict({"train": records(0, 2), "test": records(2, 1)}).save_to_disk(
        os.path.join(HERE, "saved_splits"))


if __name__ == "__main__":
    main()
