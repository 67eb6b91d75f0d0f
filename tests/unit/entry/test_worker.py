import asyncio
import os
import signal
from types import SimpleNamespace

import pytest

from holdfast.common.errors import Broken, Rejected, Transient
from holdfast.entry.cli.errors import ExitCode, exit_code, shown
from holdfast.entry.cli.worker import worker_parts
from holdfast.entry.worker import Part, Watched, run_worker

HANGS = 10
"""Seconds after which a test that waits in vain fails; nothing is judged by them."""

DRAIN = 15


class Recorder:
    """A part that runs until it is cancelled, and then finishes when it may."""

    def __init__(self, *, is_stuck=False):
        self.started, self.draining, self.may_finish = (asyncio.Event() for _ in range(3))
        self.finished = False
        if not is_stuck:
            self.may_finish.set()

    async def run(self):
        self.started.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.draining.set()
            await self.may_finish.wait()
            self.finished = True


@pytest.fixture
async def passes():
    """Lets so many seconds pass at once, for every timer of the loop."""
    loop = asyncio.get_running_loop()
    own_time, passed = loop.time, [0.0]
    loop.time = lambda: own_time() + passed[0]

    async def passes(seconds):
        passed[0] += seconds
        await asyncio.sleep(0)  # the loop sees what is due
        await asyncio.sleep(0)  # and has done it

    return passes


async def fail(error):
    raise error


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_stop_signal_lets_every_part_finish(number):
    slow, quick = parts = [Recorder(is_stuck=True), Recorder()]
    worker = asyncio.create_task(run_worker([Part(str(i), p.run) for i, p in enumerate(parts)]))
    async with asyncio.timeout(HANGS):
        for part in parts:
            await part.started.wait()
        os.kill(os.getpid(), number)
        for part in parts:
            await part.draining.wait()
        assert not worker.done()
        slow.may_finish.set()
        await worker
    assert slow.finished
    assert quick.finished


async def test_a_part_that_ends_by_itself_ends_the_worker_as_broken():
    other = Recorder()
    parts = [Part("listener", lambda: asyncio.sleep(0)), Part("other", other.run)]
    with pytest.raises(ExceptionGroup) as caught:
        await asyncio.wait_for(run_worker(parts), HANGS)
    (error,) = caught.value.exceptions
    assert isinstance(error, Broken)
    assert error.code == "worker.part_ended"
    assert other.finished


async def test_a_part_whose_work_was_cancelled_by_nobody_who_wants_it_to_end_is_broken_too():
    async def waits_for_what_is_given_up():
        given_up = asyncio.get_running_loop().create_future()
        given_up.cancel()
        await given_up

    other = Recorder()
    parts = [Part("loop", waits_for_what_is_given_up), Part("other", other.run)]
    with pytest.raises(ExceptionGroup) as caught:
        await asyncio.wait_for(run_worker(parts), HANGS)
    (error,) = caught.value.exceptions
    assert error.code == "worker.part_ended"
    assert other.finished


async def test_a_part_that_fails_ends_the_worker_with_its_error():
    other = Recorder()
    lost = Transient("leader.lost", "lost")
    parts = [Part("other", other.run), Part("chain", lambda: fail(lost))]
    with pytest.raises(ExceptionGroup) as caught:
        await asyncio.wait_for(run_worker(parts), HANGS)
    assert caught.value.exceptions == (lost,)
    assert other.finished


@pytest.mark.parametrize("is_grouped", [False, True])
async def test_a_part_that_is_refused_something_does_not_end_the_worker_as_wrongly_set_up(
    is_grouped,
):
    """A supervisor does not start again what ends as refused within its first seconds."""
    refusal = Rejected("deal.transition", "not now")
    error = ExceptionGroup("of a loop", [refusal]) if is_grouped else refusal
    with pytest.raises(ExceptionGroup) as caught:
        await asyncio.wait_for(run_worker([Part("chain", lambda: fail(error))]), HANGS)
    seen = shown(caught.value)
    assert (seen.code, exit_code(seen)) == ("worker.part_refused", ExitCode.BROKEN)


async def test_a_part_that_does_not_finish_in_time_is_cut_off(passes):
    stuck, cut = Recorder(is_stuck=True), asyncio.Event()
    worker = asyncio.create_task(
        run_worker([Part("stuck", stuck.run)], drain_seconds=DRAIN, give_up=cut.set)
    )
    async with asyncio.timeout(2 * DRAIN):
        await stuck.started.wait()
        os.kill(os.getpid(), signal.SIGTERM)
        await stuck.draining.wait()
        await passes(DRAIN - 5)
        assert not cut.is_set()
        await passes(5)
        assert cut.is_set()
        assert not stuck.finished
        stuck.may_finish.set()
        await worker


async def test_a_part_that_finishes_in_time_is_not_cut_off(passes):
    quick, cut = Recorder(), asyncio.Event()
    worker = asyncio.create_task(
        run_worker([Part("quick", quick.run)], drain_seconds=DRAIN, give_up=cut.set)
    )
    async with asyncio.timeout(HANGS):
        await quick.started.wait()
        os.kill(os.getpid(), signal.SIGTERM)
        await worker
    await passes(2 * DRAIN)
    assert not cut.is_set()


async def test_a_second_signal_does_not_wait():
    stuck, cut = Recorder(is_stuck=True), asyncio.Event()
    worker = asyncio.create_task(
        run_worker([Part("stuck", stuck.run)], drain_seconds=2 * HANGS, give_up=cut.set)
    )
    async with asyncio.timeout(HANGS):
        await stuck.started.wait()
        os.kill(os.getpid(), signal.SIGTERM)
        await stuck.draining.wait()
        assert not cut.is_set()
        os.kill(os.getpid(), signal.SIGTERM)
        await cut.wait()
        stuck.may_finish.set()
        await worker


def test_the_worker_has_people_told_of_what_nobody_foresaw_while_a_deal_advances():
    part = SimpleNamespace(run=None, do_chores=None)
    system = SimpleNamespace(
        settings=SimpleNamespace(worker_concurrency=2, metrics_port=None),
        queue=part,
        chain_loops=[],
        sweep=part,
        listener=part,
        exit_checks=part,
        notices=part,
        watch=part,
        reports=part,
        monitor=part,
        tick_watch=part,
        advance=object(),
    )
    system.queue.run = lambda wake, concurrency: (wake, concurrency)
    parts = {each.name: each for each in worker_parts(system)}
    assert parts["queue"].run() == (Watched(system.advance), 2)
