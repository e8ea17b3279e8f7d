"""What every row of bench/gpu/run stands on: commands and jobs under a time limit, with their wall
time and peak memory; figures that are written down as they come; files that rows share."""

import importlib.util
import json
import math
import os
import pathlib
import selectors
import shutil
import signal
import subprocess
import sys
import time

from job import START, Job, RowFailure, show
from table import cells_of


class Run:
    """A grin command that has begun."""

    def __init__(self, bench, arguments, device):
        self.words = [str(word) for word in arguments]
        self.device = device
        if device:
            self.words += ["--device", device]
        if device == "cpu" and "--threads" not in self.words:
            self.words += ["--threads", str(bench.threads)]
        self.lines = []  # (seconds since the start, line of stderr)
        self.out, self._rest, self._status = b"", b"", None
        self.begin = time.monotonic()
        self.process = subprocess.Popen([bench.grin_file, *self.words], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        env=bench.environment, process_group=0)
        self._selector = selectors.DefaultSelector()
        for pipe in (self.process.stdout, self.process.stderr):
            self._selector.register(pipe, selectors.EVENT_READ)

    def poll(self, seconds):
        """Reads what has come within so long; whether the command is over."""
        if self._selector.get_map():
            for key, _ in self._selector.select(seconds):
                part = os.read(key.fd, 1 << 16)
                if not part:
                    self._selector.unregister(key.fileobj)
                elif key.fileobj is self.process.stdout:
                    self.out += part
                else:
                    *lines, self._rest = (self._rest + part).split(b"\n")
                    now = time.monotonic() - self.begin
                    self.lines += [(now, line.decode("utf-8", "replace")) for line in lines]
        if self._selector.get_map():
            return False
        _, self._status, usage = os.wait4(self.process.pid, 0)
        self.process.returncode = os.waitstatus_to_exitcode(self._status)
        self.seconds = time.monotonic() - self.begin
        self.host_peak = usage.ru_maxrss * 1024
        return True

    def kill(self):
        if self.process.returncode is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            os.wait4(self.process.pid, 0)
            self.process.returncode = -9

    def load_seconds(self):
        """Until the weights were where they are computed with."""
        for seconds, line in self.lines:
            if line.startswith("model "):
                return seconds
        return math.nan

    def json(self):
        return json.loads(self.out)

    def describe(self):
        return "grin " + " ".join(self.words)


class Bench:

    def __init__(self, arguments, scratch, threads):
        self.device = arguments.device
        self.small = arguments.small
        self.threads = threads
        self.folder = pathlib.Path(arguments.out).resolve()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.scratch = scratch
        self.log_file = self.folder / "log.txt"
        self.deadline = START + 60 * arguments.minutes
        self.row_ends = self.deadline
        self.row = ""
        self.judges = True  # whether goals are for the row that runs
        self.figures = []
        self.forks = not arguments.fresh
        self.prepared = {}  # name -> Job
        self.live = []      # runs and jobs, which are ended with the script
        self.rates = {}  # "bfloat16" -> FLOP/s
        self.meter = None
        self.grin_file = self._find_grin(arguments.grin)
        self.environment = dict(os.environ)
        found = importlib.util.find_spec("torch")
        if found:
            self.environment.setdefault("GRIN_TORCH", str(pathlib.Path(found.origin).parent))

    @staticmethod
    def _find_grin(given):
        for path in (pathlib.Path(given), pathlib.Path(given) / "grin",
                     pathlib.Path(given) / "bin/grin"):
            if path.is_file() and os.access(path, os.X_OK):
                return str(path.resolve())
        sys.exit(f"bench/gpu/run: {given} is no command, nor a folder with grin or bin/grin")

    # --- what comes out ---

    def log(self, text):
        with open(self.log_file, "a") as file:
            file.write(f"[{time.monotonic() - START:.1f} s] {text}\n")

    def add(self, name, value, unit="", *, against=None, of="", goal=None, within="max", note=""):
        """Writes a figure down.

        `against`: the other side's value of the same unit, `of` whose it is. `goal`: a limit of the
        ratio value / against where there is such a value, else of the value; `within`: "max" or
        "min".
        """
        figure = {"row": self.row, "name": name, "value": value, "unit": unit, "note": note}
        judged = value
        if against is not None:
            figure |= {
                "against": against, "of": of, "ratio": value / against if against else math.nan
            }
            judged = figure["ratio"]
        if goal is not None and self.judges:
            figure |= {
                "goal": goal, "within": within,
                "reached": bool(judged <= goal if within == "max" else judged >= goal)
            }
        self._keep(figure)

    def fail(self, name, why):
        """A figure that could not be had."""
        self._keep({"row": self.row, "name": name, "failed": str(why), "reached": False})

    def _keep(self, figure):
        figure["at"] = round(time.monotonic() - START, 1)
        self.figures.append(figure)
        with open(self.folder / "figures.jsonl", "a") as file:
            file.write(json.dumps(figure) + "\n")
        show(" | ".join(cell for cell in cells_of(figure) if cell))

    # --- time ---

    @staticmethod
    def spent():
        """Seconds since the start."""
        return time.monotonic() - START

    def left(self):
        """Seconds of the row that are left."""
        return min(self.row_ends, self.deadline) - time.monotonic()

    def _limit(self, limit):
        left = self.left()
        if left <= 1:
            raise RowFailure("the time of the row is over")
        return left if limit is None or self.device == "cpu" else min(limit, left)

    # --- what runs ---

    def grin(self, *arguments, device=None, limit=None, accept=(0,)):
        """A command alone on the machine: its Run, with .peak, the memory that it took.

        .peak is device memory, on the CPU that of the process. `device`: another one, or "" for
        none.
        """
        ends = time.monotonic() + self._limit(limit)
        if self.meter and device != "":
            self.meter.reset()
        run = self._start(arguments, self.device if device is None else device)
        while not run.poll(min(0.1, max(0, ends - time.monotonic()))):
            if time.monotonic() > ends:
                run.kill()
                self._log_run(run)
                raise RowFailure(
                    f"{run.describe()[:60]}... stopped after {time.monotonic() - run.begin:.0f} s"
                    f"; its last line: {run.lines[-1][1] if run.lines else 'none'}")
        run.peak = self.meter.peak() if self.meter else run.host_peak
        self._finish(run, accept)
        return run

    def grin_together(self, commands, *, at_once, limit=None):
        """Commands side by side, each (arguments, device or ""): their Runs, also failed ones."""
        ends = time.monotonic() + self._limit(limit)
        waiting, running, runs = list(enumerate(commands)), [], {}
        while waiting or running:
            while waiting and len(running) < at_once:
                number, (arguments, device) = waiting.pop(0)
                runs[number] = self._start(arguments, device)
                running.append(runs[number])
            for run in list(running):
                if run.poll(0.02 / len(running)):
                    running.remove(run)
                    self._log_run(run)
            if time.monotonic() > ends:
                for run in running:
                    run.kill()
                    self._log_run(run)
                raise RowFailure(
                    f"{len(running) + len(waiting)} of {len(commands)} commands took too long")
        return [runs[number] for number in sorted(runs)]

    def _start(self, arguments, device):
        run = Run(self, arguments, device)
        self.live.append(run)
        return run

    def _finish(self, run, accept):
        self._log_run(run)
        if run.process.returncode not in accept:
            raise RowFailure(self.why(run))

    @staticmethod
    def why(run):
        last = [line for _, line in run.lines if line.strip()]
        return (f"{' '.join(run.words[:1])} ended by {run.process.returncode}: "
                f"{last[-1][:300] if last else 'without a word'}")

    def _log_run(self, run):
        seconds = getattr(run, "seconds", math.nan)
        text = f"$ {run.describe()}\n"
        text += "".join(f"  {when:8.2f} s  {line}\n" for when, line in run.lines)
        text += run.out[-2000:].decode("utf-8", "replace")
        self.log(
            f"{text}\n  ended by {run.process.returncode} after {seconds:.2f} s, device peak "
            f"{getattr(run, 'peak', math.nan) / 1e9:.2f} GB, "
            f"host {getattr(run, 'host_peak', math.nan) / 1e9:.2f} GB")

    def job(self, function, *arguments, limit=None):
        """A Python function, alone on the machine: (its value, the memory that it took)."""
        limit = self._limit(limit)
        if self.meter:
            self.meter.reset()
        job = Job(self, function, *arguments)
        self.live.append(job)
        value = job.result(limit)
        return value, self.meter.peak() if self.meter else job.host_peak

    # --- what rows share ---

    def prepare(self, name, function, *arguments):
        """Starts making files that rows will ask for by that name."""
        if name not in self.prepared:
            self.log(f"preparing {name}")
            self.prepared[name] = Job(self, function, *arguments)

    def wait_for(self, name):
        return self.prepared[name].result(self._limit(None))

    def wait_for_all(self):
        """Nothing is prepared any more beside what is timed."""
        for name in self.prepared:
            try:
                self.wait_for(name)
            except RowFailure as failure:
                self.log(f"preparing {name} failed: {failure}")  # the row that needs it says so

    def place(self, name):
        """A path in the scratch folder where nothing is."""
        path = self.scratch / name
        self.remove(path)
        return path

    @staticmethod
    def remove(path):
        if path.is_dir():
            shutil.rmtree(path)
        elif path.exists():
            path.unlink()

    def close(self):
        for one in [*self.prepared.values(), *self.live]:
            one.kill()
        if self.meter:
            self.meter.stop()
        shutil.rmtree(self.scratch, ignore_errors=True)
