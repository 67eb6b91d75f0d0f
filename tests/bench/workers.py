"""Real worker processes, started as an operator starts them."""

import contextlib
import signal
import subprocess
import sys
import time

_START_SECONDS = 60
_STOP_SECONDS = 15


@contextlib.contextmanager
def workers(folder, count, settings, *, may_end=False):
    """`count` processes of `holdfast worker`, ready for work; yields them."""
    folder.mkdir(exist_ok=True)
    with contextlib.ExitStack() as stack:
        started = [
            stack.enter_context(_worker(folder, number, settings)) for number in range(count)
        ]
        for process, log in started:
            _await_ready(process, log)
        yield [process for process, _ in started]
        ended = [log for process, log in started if process.poll() is not None]
        assert may_end or not ended, f"a worker ended by itself: {ended}"


@contextlib.contextmanager
def _worker(folder, number, settings):
    log = folder / f"worker-{number}.log"
    given = [f"HOLDFAST_{name.upper()}={value}" for name, value in settings.items()]
    command = ["/usr/bin/env", *given, sys.executable, "-m", "holdfast", "worker"]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    try:
        yield process, log
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await_ready(process, log):
    deadline = time.monotonic() + _START_SECONDS
    while b"worker.started" not in log.read_bytes():
        assert process.poll() is None, f"the worker did not start: see {log}"
        assert time.monotonic() < deadline, f"the worker is not ready: see {log}"
        time.sleep(0.05)
