"""When the listener rests, and where it goes on after a fault."""

import asyncio
import contextlib

import pytest
import structlog

from holdfast.common.errors import Broken, Transient
from holdfast.monitoring import listener as module
from holdfast.monitoring.listener import Listener

LOST = Transient("node.unreachable", "no node answers")


class Done(BaseException):
    """Ends a listener that would go on for ever."""


class Run:
    """The listener's runs: each step of each run, as told; errors are raised."""

    def __init__(self, monkeypatch, *runs):
        self.runs = list(runs)
        self.begun, self.slept = 0, []
        monkeypatch.setattr(module.Hearing, "begun", self._begin)
        monkeypatch.setattr(module.asyncio, "sleep", self._sleep)

    async def _begin(self, parts):
        if not self.runs:
            raise Done
        self.begun += 1
        return Steps(self.runs.pop(0))

    async def _sleep(self, seconds):
        self.slept.append(seconds)


class Steps:
    def __init__(self, results):
        self.results = list(results)

    async def step(self):
        result = self.results.pop(0)
        if isinstance(result, BaseException):
            raise result
        return result


async def listened(listener):
    with structlog.testing.capture_logs() as told, contextlib.suppress(Done):
        await listener.work()
    return [line["event"] for line in told]


async def test_it_rests_only_when_it_has_caught_up(monkeypatch):
    run = Run(monkeypatch, [True, True, False, True, False, Done()])
    assert await listened(Listener(None, None, pause_seconds=7.0)) == []
    assert run.slept == [7.0, 7.0]


async def test_after_a_fault_it_rests_and_begins_again_from_the_cursor(monkeypatch):
    run = Run(monkeypatch, [True, LOST], [LOST], [Done()])
    assert await listened(Listener(None, None, pause_seconds=7.0)) == ["events.retry"] * 2
    assert (run.begun, run.slept) == (3, [7.0, 7.0])


async def test_what_is_broken_ends_it(monkeypatch):
    run = Run(monkeypatch, [Broken("chain.bad_answer", "bad")], [Done()])
    with pytest.raises(Broken):
        await Listener(None, None).work()
    assert run.begun == 1


async def test_it_listens_only_while_it_leads():
    class Leadership:
        async def lead(self, work):
            self.work = work
            raise Transient("leader.lost", "lost")

    leadership = Leadership()
    listener = Listener(None, leadership)
    with pytest.raises(Transient, match="lost"):
        await asyncio.wait_for(listener.run(), 1)
    assert leadership.work == listener.work
