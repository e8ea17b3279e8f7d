#!/usr/bin/env python3
"""What several processes gain, and what they send: locating and tuning with 1, 2, 4, ... of them.

    unshare -n sh -c 'ip link set lo up; python3 bench/scaling/measure.py --model M --forget F --retain R'

In a network namespace of its own the loopback device carries nothing else, so that what its counters
say is what the processes sent, headers and all. Without one, whatever else runs is counted too. Prints
a table in Markdown, then the machine.
"""

import argparse
import json
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def bytes_on_loopback():
    for line in pathlib.Path("/proc/net/dev").read_text().splitlines():
        name, _, counters = line.partition(":")
        if name.strip() == "lo":
            return int(counters.split()[8])  # sent
    raise SystemExit("there is no loopback device")


def run(grin, world, arguments):
    """Starts `world` processes and waits. Returns seconds and bytes that went over loopback."""
    before, start = bytes_on_loopback(), time.monotonic()
    port = str(free_port())
    processes = []
    for rank in range(world):
        environment = dict(os.environ)
        if world > 1:
            environment.update(RANK=str(rank), WORLD_SIZE=str(world), MASTER_ADDR="127.0.0.1",
                               MASTER_PORT=port)
        processes.append(subprocess.Popen([grin, *arguments], env=environment,
                                          stdout=subprocess.DEVNULL))
    codes = [process.wait() for process in processes]
    if any(codes):
        raise SystemExit(f"exit codes {codes} of grin {' '.join(arguments)}")
    return time.monotonic() - start, bytes_on_loopback() - before


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--grin", default="build/grin")
    parser.add_argument("--model", required=True)
    parser.add_argument("--forget", required=True)
    parser.add_argument("--retain", required=True)
    parser.add_argument("--fraction", default="0.05")
    parser.add_argument("--batch-size", default="8")
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--threads", default="1")
    parser.add_argument("--processes", default="1,2,4")
    parser.add_argument("--locate-sample", default="64")
    parser.add_argument("--flags", default="", help="more flags of both commands")
    options = parser.parse_args()

    folder = pathlib.Path(tempfile.mkdtemp(prefix="scaling-"))
    sets = ["--model", options.model, "--forget", options.forget, "--retain", options.retain,
            "--threads", options.threads, "--quiet", "--force", *options.flags.split()]
    mask = str(folder / "mask")
    rows = []
    for world in map(int, options.processes.split(",")):
        locate = ["locate", *sets, "--fraction", options.fraction, "--locate-sample",
                  options.locate_sample, "--out", mask]
        seconds, wire = run(options.grin, world, locate)
        # A run of twice the steps, less one of the steps: what a step takes and sends.
        tune = ["tune", *sets, "--mask", mask, "--batch-size", options.batch_size, "--keep", "last",
                "--out", str(folder / "out")]
        measured = []
        for steps in (options.steps, 2 * options.steps):
            _, sent = run(options.grin, world, [*tune, "--steps", str(steps)])
            document = json.loads((folder / "out" / "grin.json").read_text())
            measured.append((document["cost"]["tune_seconds"], sent,
                             document["cost"].get("bytes_sent", 0)))
        selected = document["mask"]["selected"]
        step_seconds, step_wire, step_sent = ((b - a) / options.steps for a, b in zip(*measured))
        rows.append((world, seconds, wire, step_seconds, step_sent, step_wire / world, selected))
    print("| processes | locate, s | locate, MB on the wire | step, s | sent by each a step, bytes a "
          "selected weight | the same on the wire |")
    print("|---|---|---|---|---|---|")
    for world, seconds, wire, step, sent, on_wire, selected in rows:
        print(f"| {world} | {seconds:.1f} | {wire / 1e6:.1f} | {step:.2f} | {sent / selected:.3f} | "
              f"{on_wire / selected:.3f} |")
    lines = subprocess.run(["lscpu"], capture_output=True, text=True).stdout.splitlines()
    machine = [line.partition(":")[2].strip() for line in lines
               if line.startswith(("Model name", "CPU(s):"))]
    print(f"\n{selected} selected weights; {', '.join(machine)} cores; --threads {options.threads}")
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
