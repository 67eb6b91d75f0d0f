import asyncio
import os
import signal
from types import SimpleNamespace

import pytest

from holdfast.common.errors import Broken, Transient
from holdfast.entry.cli.worker import worker_parts
from holdfast.entry.worker import Part, Watched, run_worker

FOREVER = 3600


class Recorder:
    """A part that runs until it is cancelled, and then takes its time to finish."""

    def __init__(self, *, finishing=0.0):
        self.started = asyncio.Event()
        self.finished = False
        self._finishing = finishing

    async def run(self):
        self.started.set()
        try:
            await asyncio.sleep(FOREVER)
        finally:
            await asyncio.sleep(self._finishing)
            self.finished = True


async def fail(error):
    raise error


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_stop_signal_lets_every_part_finish(number):
    parts = [Recorder(finishing=0.05), Recorder()]
    worker = asyncio.create_task(run_worker([Part(str(i), p.run) for i, p in enumerate(parts)]))
    for part in parts:
        await part.started.wait()
    os.kill(os.getpid(), number)
    await asyncio.wait_for(worker, 2)
    assert all(part.finished for part in parts)


async def test_a_part_that_ends_by_itself_ends_the_worker_as_broken():
    other = Recorder()
    parts = [Part("listener", lambda: asyncio.sleep(0.01)), Part("other", other.run)]
    with pytest.raises(ExceptionGroup) as caught:
        await asyncio.wait_for(run_worker(parts), 2)
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
        await asyncio.wait_for(run_worker(parts), 2)
    (error,) = caught.value.exceptions
    assert error.code == "worker.part_ended"
    assert other.finished


async def test_a_part_that_fails_ends_the_worker_with_its_error():
    other = Recorder(finishing=0.05)
    lost = Transient("leader.lost", "lost")
    parts = [Part("other", other.run), Part("chain", lambda: fail(lost))]
    with pytest.raises(ExceptionGroup) as caught:
        await asyncio.wait_for(run_worker(parts), 2)
    assert caught.value.exceptions == (lost,)
    assert other.finished


async def test_a_part_that_does_not_finish_in_time_is_cut_off():
    stuck, cut = Recorder(finishing=0.3), asyncio.Event()
    worker = asyncio.create_task(
        run_worker([Part("stuck", stuck.run)], drain_seconds=0.05, give_up=cut.set)
    )
    await stuck.started.wait()
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(cut.wait(), 0.25)
    assert not stuck.finished
    await worker


async def test_a_part_that_finishes_in_time_is_not_cut_off():
    quick, cut = Recorder(), asyncio.Event()
    worker = asyncio.create_task(
        run_worker([Part("quick", quick.run)], drain_seconds=0.5, give_up=cut.set)
    )
    await quick.started.wait()
    os.kill(os.getpid(), signal.SIGTERM)
    await worker
    await asyncio.sleep(0.6)
    assert not cut.is_set()


async def test_a_second_signal_does_not_wait():
    stuck, cut = Recorder(finishing=1.0), asyncio.Event()
    worker = asyncio.create_task(run_worker([Part("stuck", stuck.run)], give_up=cut.set))
    await stuck.started.wait()
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.sleep(0.02)
    assert not cut.is_set()
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(cut.wait(), 0.8)
    await worker


def test_the_worker_has_people_told_of_what_nobody_foresaw_while_a_deal_advances():
    part = SimpleNamespace(run=None, do_chores=None)
    system = SimpleNamespace(
        settings=SimpleNamespace(worker_concurrency=2, metrics_port=None),
        queue=part,
        chain_loops=[],
        sweep=part,
        listener=part,
        notices=part,
        watch=part,
        advance=object(),
    )
    system.queue.run = lambda wake, concurrency: (wake, concurrency)
    parts = {each.name: each for each in worker_parts(system)}
    assert parts["queue"].run() == (Watched(system.advance), 2)
