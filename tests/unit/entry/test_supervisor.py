"""When a worker is started again, after what pause, and what a stop signal does; no process."""

import asyncio
import os
import signal

import pytest
import structlog

from holdfast.entry.cli.supervisor import Pauses, Supervisor

COMMAND = ["holdfast", "worker"]
QUICK = Pauses(first=0.001, longest=0.002, settled=10, well=30, jitter=0)
PATIENT = Pauses(first=3600, longest=3600)


class Clock:
    """Time that passes only while a process lives."""

    seconds = 0.0

    def monotonic_seconds(self):
        return self.seconds


class Child:
    """A process that ends with `code` at once, or at the first signal where `code` is None."""

    pid = 1

    def __init__(self, code):
        self.returncode, self.signals = code, []
        self._ended = asyncio.Event()

    def send_signal(self, number):
        self.signals.append(number)
        self.returncode = -number
        self._ended.set()

    async def wait(self):
        if self.returncode is None:
            await self._ended.wait()
        return self.returncode


class Machine:
    """Starts processes that live and end as told: (code, lived seconds) each."""

    def __init__(self, *lives):
        self.clock, self.lives = Clock(), list(lives)
        self.children, self.commands = [], []
        self.is_started = asyncio.Event()

    async def start(self, command):
        code, lived = self.lives.pop(0)
        self.commands.append(command)
        self.children.append(Child(code))
        self.clock.seconds += lived
        self.is_started.set()
        return self.children[-1]

    def supervisor(self, pauses=QUICK):
        return Supervisor(COMMAND, self.clock, pauses, self.start)


async def ends(*lives, pauses=QUICK):
    """The exit code, how often it was started, and the pauses before each further start."""
    machine = Machine(*lives)
    with structlog.testing.capture_logs() as told:
        code = await asyncio.wait_for(machine.supervisor(pauses).run(), 5)
    assert machine.commands == [COMMAND] * len(machine.commands)
    waited = [one["wait_seconds"] for one in told if one["event"] == "supervisor.restarting"]
    return code, len(machine.children), waited


@pytest.mark.parametrize("code", [-signal.SIGKILL, 1, 4, 5, 6])
async def test_a_worker_that_ended_by_itself_is_started_again(code):
    assert (await ends((code, 1), (0, 1)))[:2] == (0, 2)


@pytest.mark.parametrize("code", [0, 2, 3])
async def test_one_that_was_asked_to_end_or_is_wrongly_set_up_is_not(code):
    assert await ends((code, 1)) == (code, 1, [])


async def test_one_that_ran_for_long_once_is_not_wrongly_set_up_whatever_refuses_it_later():
    assert (await ends((4, 10), (3, 1), (3, 1), (0, 1)))[:2] == (0, 4)
    assert (await ends((4, 9.9), (3, 1)))[:2] == (3, 2)


async def test_what_is_wrongly_called_is_final_however_long_it_ran():
    assert (await ends((4, 10), (2, 99)))[:2] == (2, 2)


async def test_pauses_double_with_each_quick_end_and_begin_again_after_a_long_life():
    pauses = Pauses(first=0.01, longest=0.04, well=30, jitter=0)
    lives = [(4, 1), (4, 1), (4, 1), (4, 1), (4, 30), (4, 1), (0, 1)]
    _, _, waited = await ends(*lives, pauses=pauses)
    assert waited == [0.01, 0.02, 0.04, 0.04, 0.01, 0.02]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_stop_signal_is_passed_on_and_ends_the_supervisor_with_its_worker(number):
    machine = Machine((None, 1))
    running = asyncio.create_task(machine.supervisor().run())
    await machine.is_started.wait()
    with structlog.testing.capture_logs() as told:
        os.kill(os.getpid(), number)
        assert await asyncio.wait_for(running, 5) == -number
    assert machine.children[0].signals == [number]
    assert told == []  # least of all that it is started again


async def test_a_stop_signal_during_the_pause_ends_it_and_signals_nobody():
    machine = Machine((4, 1))
    running = asyncio.create_task(machine.supervisor(PATIENT).run())
    await machine.is_started.wait()
    await asyncio.sleep(0.01)
    os.kill(os.getpid(), signal.SIGTERM)
    assert await asyncio.wait_for(running, 5) == 4
    assert machine.children[0].signals == []


async def test_told_to_stop_before_there_is_a_process_it_ends_the_one_that_comes():
    machine = Machine((None, 1))
    supervisor = machine.supervisor()
    supervisor._stop(signal.SIGINT)
    assert await asyncio.wait_for(supervisor.run(), 5) == -signal.SIGTERM
    assert machine.children[0].signals == [signal.SIGTERM]


async def test_afterwards_signals_are_as_they_were():
    before = signal.getsignal(signal.SIGTERM)
    await ends((0, 1))
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize(("number", "least"), [(1, 0.2), (2, 0.4), (7, 10.0), (1_000, 10.0)])
def test_pauses_double_up_to_a_limit_and_chance_adds_its_part(number, least):
    drawn = [Pauses(first=0.2, longest=10, jitter=0.3).before_start(number) for _ in range(20)]
    assert least <= min(drawn) < max(drawn) <= least * 1.3
