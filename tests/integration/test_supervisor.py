"""The supervisor with real child processes."""

import asyncio
import os
import signal
import sys
import time

import pytest

from holdfast.common.system_clock import SystemClock
from holdfast.entry.cli.supervisor import Pauses, Supervisor

QUICK = Pauses(first=0.01, longest=0.05)


def supervisor(script, *arguments, pauses=QUICK):
    return Supervisor([sys.executable, "-c", script, *map(str, arguments)], SystemClock(), pauses)


# Ends with the codes given, one a start; how often it was started stands in a file.
ENDS = """
import pathlib, sys, os
starts, codes = pathlib.Path(sys.argv[1]), [int(one) for one in sys.argv[2:]]
count = len(starts.read_text()) if starts.exists() else 0
starts.write_text("x" * (count + 1))
code = codes[count]
os.kill(os.getpid(), -code) if code < 0 else sys.exit(code)
"""


async def test_a_worker_that_dies_or_ends_by_itself_is_started_again(tmp_path):
    starts = tmp_path / "starts"
    codes = [-signal.SIGKILL, 1, 4, 5, 6, 0]
    assert await supervisor(ENDS, starts, *codes).run() == 0
    assert len(starts.read_text()) == len(codes)


@pytest.mark.parametrize("code", [2, 3])
async def test_one_that_is_wrongly_set_up_is_not_started_again(tmp_path, code):
    starts = tmp_path / "starts"
    assert await supervisor(ENDS, starts, code, 0).run() == code
    assert len(starts.read_text()) == 1


RUNS_THEN_ENDS = "import time; time.sleep(0.3)" + ENDS


async def test_one_that_ran_and_was_refused_something_then_is_started_again(tmp_path):
    starts = tmp_path / "starts"
    settled = Pauses(first=0.01, longest=0.05, settled=0.3)
    assert await supervisor(RUNS_THEN_ENDS, starts, 3, 3, 0, pauses=settled).run() == 0
    assert len(starts.read_text()) == 3


async def test_a_stop_signal_during_a_start_reaches_the_process_that_comes_of_it():
    sleeper = supervisor("import time; time.sleep(60)")
    sleeper._stop(signal.SIGTERM)
    async with asyncio.timeout(60):
        assert await sleeper.run() == -signal.SIGTERM


DRAINS = """
import pathlib, signal, sys, time
told = []
signal.signal(signal.SIGTERM, lambda *_: told.append(1))
pathlib.Path(sys.argv[1]).write_text("running")
while not told:
    time.sleep(0.01)
time.sleep(0.3)
pathlib.Path(sys.argv[1]).write_text("drained")
"""


async def test_a_stop_signal_is_passed_on_and_the_worker_finishes_first(tmp_path):
    word = tmp_path / "word"
    running = asyncio.create_task(supervisor(DRAINS, word).run())
    async with asyncio.timeout(60):
        while not word.exists() or word.read_text() != "running":  # noqa: ASYNC110 - a process
            await asyncio.sleep(0.02)
        os.kill(os.getpid(), signal.SIGTERM)
        assert await running == 0
    assert word.read_text() == "drained"


async def test_a_stop_signal_ends_the_wait_for_the_next_start(tmp_path):
    patient = supervisor(ENDS, tmp_path / "starts", 4, 4, pauses=Pauses(first=60, longest=60))
    running = asyncio.create_task(patient.run())
    async with asyncio.timeout(60):
        while not (tmp_path / "starts").exists():  # noqa: ASYNC110 - a process
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.3)
        since = time.monotonic()
        os.kill(os.getpid(), signal.SIGTERM)
        await running
    assert time.monotonic() - since < 30  # half of the wait


def test_pauses_double_up_to_a_limit_and_differ():
    pauses = Pauses(first=0.2, longest=10, jitter=0.3)
    for ends, least in [(1, 0.2), (2, 0.4), (3, 0.8), (7, 10.0), (1_000, 10.0)]:
        assert least <= pauses.before_start(ends) <= least * 1.3
    assert len({pauses.before_start(1) for _ in range(5)}) > 1
