"""Forks workers from a process that has imported everything once; run as a program of its own.

Starting the interpreter and importing the program takes over a second, a fork a few milliseconds.
What is forked is the real thing: its own process, its own environment, and `python -m holdfast
worker` run from the top. This process runs no event loop and no thread, so a fork of it is whole.

One JSON object a line comes in, one process id a line goes out. When a child ends, its exit code
(negative: the signal) appears in the file `<log>.exit`. When the input ends, so does everything.
"""

import contextlib
import gc
import json
import os
import runpy
import signal
import sys
from pathlib import Path

import holdfast.entry.cli.invocation
import holdfast.entry.cli.main
import holdfast.entry.cli.worker  # noqa: F401 - imported so that the forks have it already
from tests.support import sabotage

_logs = {}


def main():
    signal.signal(signal.SIGCHLD, lambda *_: _bury())
    gc.freeze()
    for line in sys.stdin:
        print(_born(json.loads(line)), flush=True)  # noqa: T201 - the answer
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for pid in _logs:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _born(order):
    # Blocked until the child is known, or one that ends at once would be buried without a name.
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])
        _live(order)
    _logs[pid] = Path(order["log"])
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])
    return pid


def _bury():
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        log = _logs.pop(pid)
        told = log.with_name(f"{log.name}.part")
        told.write_text(str(os.waitstatus_to_exitcode(status)))
        told.rename(log.with_name(f"{log.name}.exit"))  # whole or not there


def _live(order):
    code = 70
    try:
        os.setsid()
        with Path(order["log"]).open("ab", buffering=0) as log, Path(os.devnull).open("rb") as none:
            os.dup2(none.fileno(), 0)
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
        os.environ.update(order["environment"])  # noqa: TID251 - as a shell would
        if order["sabotage"]:
            getattr(sabotage, order["sabotage"])()
        sys.argv = ["holdfast", "worker"]
        runpy.run_module("holdfast", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    finally:
        os._exit(code)


if __name__ == "__main__":
    main()
