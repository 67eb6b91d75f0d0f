"""How often a look that grows with the book may be taken."""

import pytest

from holdfast.monitoring.sparing import Sparing
from tests.support.fake_chain import SetClock


@pytest.fixture
def clock():
    return SetClock()


def test_the_first_look_is_due_at_once(clock):
    assert Sparing(clock).is_due()


@pytest.mark.parametrize(("took", "pause"), [(0.1, 2), (0.25, 5), (1, 5), (60, 5)])
def test_after_a_look_the_next_is_due_when_twenty_times_as_long_has_passed(clock, took, pause):
    looks = Sparing(clock)
    with looks.one():
        clock.seconds += took
    clock.seconds += pause - 0.01
    assert not looks.is_due()
    clock.seconds += 0.02
    assert looks.is_due()


def test_a_look_that_took_no_time_is_due_at_once(clock):
    looks = Sparing(clock)
    with looks.one():
        pass
    assert looks.is_due()


def test_a_look_that_failed_is_timed_too(clock):
    looks = Sparing(clock)

    def fail():
        with looks.one():
            clock.seconds += 1
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        fail()
    assert not looks.is_due()
