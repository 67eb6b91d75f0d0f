"""The sweep: whatever wake-up was lost, a deal that is due is woken."""

import pytest

from holdfast.common.errors import Transient
from holdfast.common.ids import new_deal_id
from holdfast.execution.jobs import AGAIN_SECONDS, BATCH, Sweep
from tests.unit.execution import fakes
from tests.unit.execution.scene import NOW


class Enough(Exception):
    pass


class Impatient(fakes.Clock):
    """A clock that ends the test after `most` sleeps."""

    def __init__(self, most):
        super().__init__()
        self.most = most

    async def sleep(self, seconds):
        await super().sleep(seconds)
        if len(self.slept) == self.most:
            raise Enough


def sweep(*due, clock=None):
    journal = fakes.Journal()
    deals = fakes.Deals(journal)
    deals.due = list(due)
    clock = clock or fakes.Clock()
    made = Sweep(fakes.Db(journal), deals, fakes.Wakes(journal), clock, clock, seconds=5.0)
    return made, journal


async def test_every_deal_that_is_due_is_woken_in_the_transaction_that_takes_it():
    due = [new_deal_id(), new_deal_id()]
    made, journal = sweep(*due)
    assert await made.once() == 2
    assert [what[1] for what in journal.done if what[0] == "wake"] == due
    _, now, later, limit = journal.last("take_due")
    assert (now, (later - now).total_seconds(), limit) == (NOW, AGAIN_SECONDS, BATCH)


async def test_a_full_batch_is_followed_at_once_by_the_next():
    clock = Impatient(most=2)
    made, journal = sweep(*(new_deal_id() for _ in range(BATCH + 1)), clock=clock)
    with pytest.raises(Enough):
        await made.run()
    assert journal.names().count("take_due") == 3  # full, the rest, then after a sleep none
    assert clock.slept == [5.0, 5.0]


async def test_a_database_that_is_away_is_asked_again():
    clock = Impatient(most=2)
    made, journal = sweep(new_deal_id(), clock=clock)
    honest, failures = made.deals.take_due, [Transient("database.unavailable", "gone")]

    async def take_due(*args):
        if failures:
            raise failures.pop()
        return await honest(*args)

    made.deals.take_due = take_due
    with pytest.raises(Enough):
        await made.run()
    assert journal.names() == ["take_due", "wake", "take_due"]
