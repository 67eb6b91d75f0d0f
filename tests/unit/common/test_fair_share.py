"""Who leads already lets others come first, and takes one lead at a time."""

import asyncio

import pytest

from holdfast.common import fair_share
from holdfast.common.fair_share import FairShare

sleep = asyncio.sleep  # as it is before a test replaces it


class Leads:
    """Epochs to take: None is a lead that somebody else has; `asked` counts the tries."""

    def __init__(self, *epochs):
        self.epochs, self.asked = list(epochs), 0

    async def take(self):
        self.asked += 1
        await sleep(0)  # the database is asked; others run meanwhile
        return self.epochs.pop(0)


@pytest.fixture
def slept(monkeypatch):
    """The pauses of who is modest; none is waited for, and others run meanwhile."""
    pauses = []

    async def note(seconds):
        pauses.append(seconds)
        await sleep(0)

    monkeypatch.setattr(fair_share.asyncio, "sleep", note)
    return pauses


async def test_a_process_that_leads_nothing_does_not_wait(slept):
    assert await FairShare().one_more(Leads(7).take) == 7
    assert slept == []


async def test_one_that_leads_already_leaves_the_others_a_second(slept):
    share, leads = FairShare(), Leads(7, 8, 9)
    for _ in range(3):
        await share.one_more(leads.take)
    assert slept == [1.0, 1.0]


async def test_a_lead_that_somebody_else_has_does_not_count(slept):
    share, leads = FairShare(), Leads(None, 7)
    assert await share.one_more(leads.take) is None
    assert await share.one_more(leads.take) == 7
    assert slept == []


async def test_one_that_was_given_up_does_not_count_any_more(slept):
    share, leads = FairShare(), Leads(7, 8)
    await share.one_more(leads.take)
    share.one_less()
    await share.one_more(leads.take)
    assert slept == []


async def test_of_two_that_tried_at_once_one_takes_and_the_other_begins_its_wait_anew(slept):
    share, leads = FairShare(), Leads(7, 8)
    taken = await asyncio.gather(share.one_more(leads.take), share.one_more(leads.take))
    assert sorted(taken, key=str) == [7, None]
    assert leads.asked == 1


async def test_a_try_that_fails_keeps_nobody_else_from_the_next(slept):
    share = FairShare()

    async def fail():
        raise OSError("the database is away")

    with pytest.raises(OSError, match="away"):
        await share.one_more(fail)
    assert await asyncio.wait_for(share.one_more(Leads(7).take), 1) == 7
    assert slept == []
