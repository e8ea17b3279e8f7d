"""Python functions in processes of their own, under a time limit.

A job can be killed and leaves nothing on the device behind. The parent imports torch and
transformers once, never touches the device, and forks, so that a job starts in no time. CUDA can't
be used in a child of a process that has begun with it: where some import has, jobs run in fresh
interpreters, some ten seconds slower each.
"""

import ctypes
import importlib
import os
import pickle
import selectors
import signal
import subprocess
import sys
import time
import traceback

START = time.monotonic()


class RowFailure(Exception):
    """Why a row, or a part of it, gave no figure."""


def show(text):
    print(f"[{time.monotonic() - START:6.1f} s] {text}", flush=True)


def cuda_has_begun():
    """Whether this process has initialised the driver; its children then can't use the device."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    not_initialized = 3
    return driver.cuDeviceGetCount(ctypes.byref(ctypes.c_int())) != not_initialized


class Job:
    """function(*arguments) in a process of its own; what it prints goes to the log."""

    def __init__(self, bench, function, *arguments):
        self._name = function.__name__
        self._begin = time.monotonic()
        self._answer = None  # (whether it went well, its value or what went wrong)
        self._pipe, writing = os.pipe()
        with open(bench.log_file, "a") as log:
            start = self._fork if bench.forks else self._start_fresh
            self._pid = start(log, writing, function, arguments)
        os.close(writing)

    def _fork(self, log, writing, function, arguments):
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
            answer_into(writing, function, arguments)
        return pid

    @staticmethod
    def _start_fresh(log, writing, function, arguments):
        process = subprocess.Popen(
            [sys.executable, __file__,
             str(writing), function.__module__, function.__name__], stdin=subprocess.PIPE,
            stdout=log, stderr=log, pass_fds=[writing])
        process.stdin.write(pickle.dumps(arguments))
        process.stdin.close()
        process.returncode = 0  # this class waits for it
        return process.pid

    def result(self, limit):
        """What the function returned. RowFailure where it failed or takes longer (seconds)."""
        if self._answer is None:
            self._answer = self._wait(limit)
        good, value = self._answer
        if not good:
            raise RowFailure(f"{self._name}: {value}")
        return value

    def _wait(self, limit):
        data, ends = b"", time.monotonic() + max(0, limit)
        with selectors.DefaultSelector() as selector:
            selector.register(self._pipe, selectors.EVENT_READ)
            while True:
                if not selector.select(max(0, ends - time.monotonic())):
                    self.kill()
                    return False, f"stopped after {time.monotonic() - self._begin:.0f} s"
                part = os.read(self._pipe, 1 << 20)
                if not part:
                    break
                data += part
        os.close(self._pipe)
        _, status, usage = os.wait4(self._pid, 0)
        self._pid = None
        self.host_peak = usage.ru_maxrss * 1024
        if not data:
            return False, f"ended by {os.waitstatus_to_exitcode(status)}"
        return pickle.loads(data)

    def kill(self):
        if self._pid:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
            self._pid = None

    def has_ended(self):
        """Whether the process is over without an answer having been asked for."""
        return os.waitid(os.P_PID, self._pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def answer_into(writing, function, arguments):
    """Of the job's process: calls the function, hands its value over, and ends the process."""
    try:
        answer = (True, function(*arguments))
    except BaseException as error:  # the parent is to know of any
        traceback.print_exc()
        answer = (False, f"{type(error).__name__}: {str(error).strip()[:300]}")
    sys.stdout.flush()
    sys.stderr.flush()
    with os.fdopen(writing, "wb") as pipe:
        pipe.write(pickle.dumps(answer))
    os._exit(0)


def main():
    """A job in a fresh interpreter: DESCRIPTOR MODULE FUNCTION, the arguments on stdin."""
    writing, module, function = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    arguments = pickle.load(sys.stdin.buffer)
    answer_into(writing, getattr(importlib.import_module(module), function), arguments)


if __name__ == "__main__":
    main()
