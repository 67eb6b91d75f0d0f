"""How long a lead is believed, and what is refused without one."""

import pytest

from holdfast.common import lease
from holdfast.common.errors import Transient
from holdfast.common.lease import Lease, lock_key
from holdfast.common.store import LEASE_SECONDS

NAME = "chain:138"
KEY = -710019503083875220


class Counter:
    """Seconds that pass only when told."""

    seconds = 100.0

    def __call__(self):
        return self.seconds


def leading(counter, **options):
    made = Lease(NAME, now_seconds=counter, **options)
    made.begin(7, counter())
    return made


def refused(action):
    with pytest.raises(Transient) as caught:
        action()
    return caught.value.code


def test_who_never_led_may_do_nothing():
    made = Lease(NAME, now_seconds=Counter())
    assert made.epoch is None
    assert refused(made.require) == "leader.lost"


def test_a_lead_is_believed_for_so_long_and_no_longer():
    counter = Counter()
    made = leading(counter, trusted_seconds=4.0)
    counter.seconds += 4.0
    assert made.require() == 7
    counter.seconds += 0.1
    with pytest.raises(Transient, match=r"not confirmed for 4\.1 s") as lapsed:
        made.require()
    assert lapsed.value.code == "leader.lapsed"
    assert lapsed.value.fields == {"lease": NAME, "age_seconds": 4.1}


def test_without_a_word_a_leader_stops_before_another_can_begin():
    counter = Counter()
    made = leading(counter)
    counter.seconds += LEASE_SECONDS - 0.4
    assert refused(made.require) == "leader.lapsed"


def test_a_renewal_counts_from_when_it_was_asked_for():
    """The answer may be old by the time it comes."""
    counter = Counter()
    made = leading(counter, trusted_seconds=4.0)
    counter.seconds += 3.0
    made.renew(counter() - 2.0)
    counter.seconds += 2.0
    assert made.require() == 7
    counter.seconds += 0.1
    assert refused(made.require) == "leader.lapsed"


def test_a_lead_that_ended_is_lost_however_young_its_renewal():
    made = leading(Counter())
    made.end()
    assert made.epoch is None
    assert refused(made.require) == "leader.lost"


@pytest.fixture
def known(monkeypatch):
    """What the database is asked about a lease; it knows `newest` as its epoch."""

    class Known:
        newest = 7

        def __init__(self):
            self.asked = []

        async def may_write(self, session, name, epoch, key):
            self.asked.append((session, name, epoch, key))
            return epoch == self.newest

    made = Known()
    monkeypatch.setattr(lease, "may_write", made.may_write)
    return made


async def test_a_leader_writes_while_the_database_knows_no_newer_one(known):
    made = leading(Counter())
    await made.fence("session")
    assert known.asked == [("session", NAME, 7, lock_key(f"{NAME}#writes"))]
    known.newest = 8
    with pytest.raises(Transient) as lost:
        await made.fence("session")
    assert (lost.value.code, lost.value.fields) == ("leader.lost", {"lease": NAME})


async def test_a_lapsed_leader_does_not_even_ask(known):
    counter = Counter()
    made = leading(counter, trusted_seconds=1.0)
    counter.seconds += 2.0
    with pytest.raises(Transient, match="not confirmed"):
        await made.fence("session")
    assert known.asked == []


def test_lock_keys_fit_postgresql_and_differ_by_name():
    names = [NAME, f"{NAME}#writes", "chain:139", ""]
    keys = [lock_key(name) for name in names]
    assert len(set(keys)) == len(names)
    assert all(-(2**63) <= key < 2**63 for key in keys)
    # the first eight bytes of SHA-256 of "chain:138", signed: old and new workers must agree on it
    assert lock_key(NAME) == KEY
