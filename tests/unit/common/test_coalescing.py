"""Two wake-ups of one deal never run beside each other, and none of them is lost."""

import asyncio

import pytest
from structlog.testing import capture_logs

from holdfast.common.coalescing import Coalesced
from holdfast.common.errors import Ambiguous, Broken, Paused, Transient
from holdfast.common.ids import new_deal_id

DEAL = new_deal_id()


class Work:
    """What is done for a woken deal; each run lasts until `go_on` is called."""

    def __init__(self):
        self.runs = []
        self.running = 0
        self.most_at_once = 0
        self._gate = asyncio.Semaphore(0)

    def go_on(self):
        self._gate.release()

    async def __call__(self, deal):
        self.runs.append(deal)
        self.running += 1
        self.most_at_once = max(self.most_at_once, self.running)
        try:
            await self._gate.acquire()
        finally:
            self.running -= 1


async def settled():
    for _ in range(5):
        await asyncio.sleep(0)


async def test_wake_ups_during_a_run_repeat_it_once_and_do_not_wait_for_it():
    work = Work()
    wake = Coalesced(work)
    first = asyncio.create_task(wake(DEAL))
    await settled()

    await asyncio.wait_for(wake(DEAL), timeout=1)
    await asyncio.wait_for(wake(DEAL), timeout=1)
    work.go_on()
    await settled()
    assert work.runs == [DEAL, DEAL]
    assert not first.done()  # its job stays open until the repetition is over

    work.go_on()
    await asyncio.wait_for(first, timeout=1)
    assert work.runs == [DEAL, DEAL]
    assert work.most_at_once == 1


async def test_two_deals_run_beside_each_other():
    work = Work()
    wake = Coalesced(work)
    tasks = [asyncio.create_task(wake(deal)) for deal in (DEAL, new_deal_id())]
    await settled()
    assert work.most_at_once == 2
    work.go_on()
    work.go_on()
    await asyncio.gather(*tasks)


@pytest.mark.parametrize(
    ("error", "logged"),
    [
        (Transient("rpc.unreachable", "no answer"), ["queue.wake_postponed"]),
        (Ambiguous("rpc.no_answer", "maybe sent"), ["queue.wake_postponed"]),
        (Paused("chain.read_only", "no node"), []),
    ],
)
async def test_what_may_succeed_later_is_raised_and_the_deal_can_be_woken_again(error, logged):
    runs = []

    async def fail(deal):
        runs.append(deal)
        raise error

    wake = Coalesced(fail)
    for _ in range(2):
        with capture_logs() as events, pytest.raises(type(error)):
            await wake(DEAL)
        assert [event["event"] for event in events] == logged
    assert runs == [DEAL, DEAL]


async def test_any_other_error_of_ours_ends_the_run_and_is_logged():
    async def fail(_deal):
        raise Broken("ledger.mismatch", "one wei is missing")

    with capture_logs() as events:
        await Coalesced(fail)(DEAL)
    (event,) = events
    assert (event["event"], event["code"]) == ("queue.wake_failed", "ledger.mismatch")
