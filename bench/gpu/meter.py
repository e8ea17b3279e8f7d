"""What is in use on the device."""

import mmap
import os
import struct
import sys
import time

from job import Job

FIGURES = struct.Struct("qq")  # bytes of the device in use: now, most since the parent's last reset


def watch_device(file, parent):
    """A job that writes what the device has in use into the file, as long as the parent lives."""
    import torch

    with open(file, "r+b") as opened:
        view = mmap.mmap(opened.fileno(), FIGURES.size)
    while os.getppid() == parent:
        free, total = torch.cuda.mem_get_info(0)
        _, most = FIGURES.unpack(view[:])
        view[:] = FIGURES.pack(total - free, max(most, total - free))
        time.sleep(0.005)


class Meter:
    """The most memory in use on the device since the last reset, whoever uses it: contexts and
    caches of allocators are counted, as a card must have them; what was in use at the start is
    taken off."""

    def __init__(self, bench):
        file = bench.scratch / "device-memory"
        file.write_bytes(bytes(FIGURES.size))
        with open(file, "r+b") as opened:
            self._view = mmap.mmap(opened.fileno(), FIGURES.size)
        self._job = Job(bench, watch_device, file, os.getpid())
        ends = time.monotonic() + 90
        while not self._now():
            if time.monotonic() > ends or self._job.has_ended():
                self._job.kill()
                sys.exit(f"bench/gpu/run: the device can't be used; see {bench.log_file}")
            time.sleep(0.01)
        time.sleep(0.1)
        self._base = self._now()

    def _now(self):
        return FIGURES.unpack(self._view[:])[0]

    def reset(self):
        """Once what ran before has given its memory back."""
        ends = time.monotonic() + 3
        while self._now() > self._base + 2**26 and time.monotonic() < ends:
            time.sleep(0.01)
        self._view[:] = FIGURES.pack(self._now(), 0)
        time.sleep(0.02)

    def peak(self):
        return FIGURES.unpack(self._view[:])[1] - self._base

    def stop(self):
        self._job.kill()
