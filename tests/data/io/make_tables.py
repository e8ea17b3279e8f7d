#!/usr/bin/env python3
"""Makes the packed and columnar fixtures of tests/io, with the tools that users have.

Needs pyarrow and zstandard. Run in this folder; the files it writes are committed.
"""
import gzip
import zipfile

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


if __name__ == "__main__":
    write_zip("archive.zip")
    write_packed()
