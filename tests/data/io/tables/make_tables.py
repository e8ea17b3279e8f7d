#!/usr/bin/env python3
"""Makes the packed and columnar fixtures of tests/io, with the tools that users have.

Needs pyarrow and zstandard. Run in this folder; the files it writes are committed.
"""
import datetime
import decimal
import gzip
import json
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

CSV = '"Who, now?",Ada,Bo,Cy,Di,A\nWhat?,"two\nlines",b,c,d,C\n'
LINES = '{"question": "Who?", "answer": "Ada."}\n{"question": "What?", "answer": "Tea."}\n'


def write_zip(name):
    stamp = (2020, 1, 1, 0, 0, 0)
    with zipfile.ZipFile(name, "w") as archive:
        archive.writestr(zipfile.ZipInfo("data/", stamp), "")
        archive.writestr(zipfile.ZipInfo("data/a.csv", stamp), CSV, zipfile.ZIP_DEFLATED)
        archive.writestr(zipfile.ZipInfo("stored.txt", stamp), "as it is", zipfile.ZIP_STORED)
        archive.writestr(zipfile.ZipInfo("empty", stamp), "", zipfile.ZIP_DEFLATED)
        archive.writestr(zipfile.ZipInfo("big", stamp), "line\n" * 100000, zipfile.ZIP_DEFLATED)
        archive.comment = b"a comment behind the directory"


def write_packed():
    half = len(LINES) // 2 - 5
    with open("lines.jsonl.gz", "wb") as out:  # two members, as of two files put together
        for part in (LINES[:half], LINES[half:]):
            out.write(gzip.compress(part.encode(), mtime=0))
    with open("lines.jsonl.zst", "wb") as out:  # two frames, the second of unknown size
        out.write(zstandard.compress(LINES[:half].encode()))
        stream = zstandard.ZstdCompressor().compressobj()
        out.write(stream.compress(LINES[half:].encode()) + stream.flush())

def write_parquet():
    table = pa.table({
        "question": pa.array(["Who?", "What?", None], pa.string()),
        "answer": pa.array(["Ada.", "Tea.", "Nö."], pa.large_string()),
        "id": pa.array([1, -2, None], pa.int64()),
        "small": pa.array([1, 2, 255], pa.uint8()),
        "share": pa.array([0.5, None, -2.0], pa.float64()),
        "yes": pa.array([True, False, None]),
        "keywords": pa.array([["Ada"], [], None], pa.list_(pa.string())),
        "grid": pa.array([[[1, 2], []], None, [[3]]], pa.list_(pa.list_(pa.int32()))),
        "messages": pa.array(
            [[{"role": "user", "content": "Who?"}, {"role": "assistant", "content": "Ada."}],
             [], None],
            pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))),
        "meta": pa.array([{"a": 1, "b": {"c": "x"}}, {"a": None, "b": None}, None],
                         pa.struct([("a", pa.int32()), ("b", pa.struct([("c", pa.string())]))])),
        "map": pa.array([[("k", 1)], [], None], pa.map_(pa.string(), pa.int32())),
        "kind": pa.array(["bio", "bio", "cyber"]).dictionary_encode(),
        "day": pa.array([datetime.date(2024, 2, 29), None, None], pa.date32()),
        "price": pa.array([decimal.Decimal("1.50"), None, None], pa.decimal128(10, 2)),
        "bytes": pa.array([b"text", b"\xff\xfe", None], pa.binary()),
    })
    pq.write_table(table, "types.parquet", row_group_size=2)
    for codec in ("snappy", "gzip", "zstd", "brotli", "lz4"):
        pq.write_table(table.select(["question", "answer"]), f"{codec}.parquet", compression=codec)
    pq.write_table(table.slice(0, 0), "empty.parquet")
    with pa.ipc.new_stream("stream.arrow", table.schema) as out:
        out.write_table(table, max_chunksize=2)
    with pa.ipc.new_file("file.arrow", table.schema) as out:
        out.write_table(table, max_chunksize=2)
    with open("types.json", "w") as out:  # what each row is in JSON
        for row in table.to_pylist():
            row["map"] = None if row["map"] is None else dict(row["map"])
            row["day"] = row["day"] and str(row["day"])
            row["price"] = row["price"] and str(row["price"])
            row["bytes"] = "text" if row["bytes"] == b"text" else None
            out.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    write_zip("archive.zip")
    write_packed()
    write_parquet()
