"""When the listener rests, and where it goes on after a fault."""

import asyncio
import contextlib
from types import SimpleNamespace

import pytest
import structlog

from holdfast.common.errors import Broken, Transient
from holdfast.monitoring import listener as module
from holdfast.monitoring.listener import Listener

LOST = Transient("node.unreachable", "no node answers")


class Done(BaseException):
    """Ends a listener that would go on for ever."""


class Metrics:
    """Keeps which chains are no longer listened to."""

    def __init__(self):
        self.gone = []

    def stopped(self, chain_id):
        self.gone.append(chain_id)


def listener(leadership=None, metrics=None):
    parts = SimpleNamespace(chain_id=138, metrics=metrics or Metrics())
    return Listener(parts, leadership, pause_seconds=7.0)


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


async def listened(made):
    with structlog.testing.capture_logs() as told, contextlib.suppress(Done):
        await made.work()
    return [line["event"] for line in told]


async def test_it_rests_only_when_it_has_caught_up(monkeypatch):
    run = Run(monkeypatch, [True, True, False, True, False, Done()])
    assert await listened(listener()) == []
    assert run.slept == [7.0, 7.0]


async def test_after_a_fault_it_rests_and_begins_again_from_the_cursor(monkeypatch):
    run = Run(monkeypatch, [True, LOST], [LOST], [Done()])
    assert await listened(listener()) == ["events.retry"] * 2
    assert (run.begun, run.slept) == (3, [7.0, 7.0])


async def test_what_is_broken_ends_it(monkeypatch):
    run = Run(monkeypatch, [Broken("chain.bad_answer", "bad")], [Done()])
    metrics = Metrics()
    with pytest.raises(Broken):
        await listener(metrics=metrics).work()
    assert (run.begun, metrics.gone) == (1, [138])


async def test_it_listens_only_while_it_leads():
    class Leadership:
        async def lead(self, work):
            self.work = work
            raise Transient("leader.lost", "lost")

    leadership = Leadership()
    made = listener(leadership)
    with pytest.raises(Transient, match="lost"):
        await asyncio.wait_for(made.run(), 1)
    assert leadership.work == made.work
