"""How the demo's worker is started, watched and ended; the process is made of plain values."""

import signal
import subprocess
import sys

import pytest

from holdfast.common.errors import Broken
from holdfast.entry import worker_process
from holdfast.entry.worker_process import WorkerProcess


class Process:
    """A process that ends when told, unless it `hangs`; keeps what was done to it."""

    pid = 4711

    def __init__(self, *, hangs=False):
        self.hangs, self.returncode, self.done = hangs, None, []

    def send_signal(self, number):
        self.done.append(number)

    def wait(self, timeout=None):
        self.done.append(("wait", timeout))
        if self.hangs:
            raise subprocess.TimeoutExpired("worker", timeout)

    def kill(self):
        self.done.append("kill")
        self.hangs = False

    def poll(self):
        return self.returncode


@pytest.fixture
def started(monkeypatch, tmp_path):
    """A worker that was started, with its process and what it was started as."""

    def start(**how):
        process, calls = Process(**how), []

        def popen(command, **options):
            calls.append((command, options))
            return process

        monkeypatch.setattr(worker_process.subprocess, "Popen", popen)
        return WorkerProcess({"HOLDFAST_PROFILE": "p.toml"}, tmp_path / "log"), process, calls

    return start


def test_it_is_started_as_an_operator_would_with_its_output_in_the_log(started, tmp_path):
    worker, process, calls = started()
    assert worker.pid == 0
    with worker:
        assert worker.pid == process.pid
        ((command, options),) = calls
        assert command[:2] == ["/usr/bin/env", "HOLDFAST_PROFILE=p.toml"]
        assert command[2:] == [sys.executable, "-m", "holdfast", "worker"]
        assert options["stdout"].name == str(tmp_path / "log")
        assert options["start_new_session"]
    assert options["stdout"].closed


def test_it_may_finish_what_it_does(started):
    worker, process, _ = started()
    with worker:
        assert process.done == []
    assert process.done == [signal.SIGTERM, ("wait", 15.0)]


def test_one_that_does_not_end_in_time_is_killed_and_waited_for(started):
    worker, process, _ = started(hangs=True)
    with worker:
        pass
    assert process.done == [signal.SIGTERM, ("wait", 15.0), "kill", ("wait", None)]


def test_one_that_could_not_be_started_leaves_nothing_to_end(started, tmp_path, monkeypatch):
    worker, process, _ = started()

    def refuse(*_, **__):
        raise FileNotFoundError("/usr/bin/env")

    monkeypatch.setattr(worker_process.subprocess, "Popen", refuse)
    with pytest.raises(FileNotFoundError):
        worker.__enter__()
    worker.__exit__()
    assert process.done == []


def test_one_that_was_never_started_leaves_nothing_to_close(started):
    worker, process, _ = started()
    worker.__exit__()
    assert process.done == []


def test_one_that_ended_by_itself_is_broken_and_its_log_named(started, tmp_path):
    worker, process, _ = started()
    worker.require_alive()  # not yet started: nothing to complain of
    with worker:
        worker.require_alive()
        process.returncode = 0
        with pytest.raises(Broken, match=str(tmp_path / "log")) as ended:
            worker.require_alive()
    assert ended.value.code == "demo.worker"
