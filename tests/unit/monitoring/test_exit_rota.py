"""Whose unwind is tried next, and when a check is too old."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.monitoring.exit_rota import MOST_PERIODS, Rota


def led(*deals, every=10, head=100):
    """A rota under a leader that has just begun, with what it found open."""
    rota = Rota(every)
    rota.follow(deals, head)
    return rota


def test_a_new_leader_takes_every_deal_for_due_the_least_covered_first():
    rota = led("rich", "poor", "unseen")
    assert rota.due(100, {"rich": 20_000, "poor": 9_000}) == ["unseen", "poor", "rich"]


def test_a_deal_that_joins_is_due_a_period_later():
    rota = led()
    rota.follow(["new"], 100)
    assert rota.due(109, {}) == []
    assert rota.due(110, {}) == ["new"]


def test_a_deal_is_due_again_a_period_after_it_was_checked():
    rota = led("a")
    rota.checked(["a"], 100)
    assert rota.due(109, {}) == []
    assert rota.due(110, {}) == ["a"]


def test_one_that_waits_a_whole_period_longer_goes_before_a_riskier_one():
    rota = led("old", "risky")
    rota.checked(["old"], 100)
    rota.checked(["risky"], 105)
    cover = {"old": 50_000, "risky": 9_000}
    assert rota.due(119, cover) == ["risky", "old"]  # both in their first period
    rota.attempted(["risky"], 100)
    assert rota.due(120, cover) == ["old", "risky"]  # two periods against one


def test_what_could_not_be_tried_comes_again_after_a_tenth_of_the_period():
    rota = led("a", every=100, head=1_000)
    rota.attempted(["a"], 1_000)
    assert rota.due(1_009, {}) == []
    assert rota.due(1_010, {}) == ["a"]


def test_a_check_above_the_head_was_reorged_away():
    rota = led("a")
    rota.checked(["a"], 101)
    assert rota.age_blocks(100) == 10
    assert rota.due(100, {}) == ["a"]


def test_what_is_over_is_told_once_and_forgotten():
    rota = led("a", "b")
    assert rota.follow(["b"], 100) == {"a"}
    assert rota.follow(["b"], 100) == set()
    assert rota.due(100, {}) == ["b"]


def test_it_is_late_when_one_check_is_older_than_three_periods():
    rota = led("a", "b")
    rota.checked(["a", "b"], 100)
    rota.checked(["b"], 125)
    assert rota.is_late(100 + MOST_PERIODS * 10) is False
    assert rota.is_late(101 + MOST_PERIODS * 10) is True
    assert rota.age_blocks(131) == 31


def test_who_has_not_seen_every_deal_cannot_say_that_none_is_late():
    rota = led("a", "b")
    rota.checked(["a"], 100)
    assert rota.is_late(100) is None
    rota.checked(["b"], 100)
    assert rota.is_late(100) is False


def test_without_deals_nothing_is_late():
    assert (led().age_blocks(100), led().is_late(100)) == (0, False)


@pytest.mark.slow
@given(
    deals=st.integers(1, 60),
    budget=st.integers(1, 20),
    every=st.integers(1, 30),
    covers=st.randoms(use_true_random=False),
)
def test_every_deal_has_its_turn_whatever_the_others_risk(deals, budget, every, covers):
    """With room for all in a period, no check grows older than two; risk never starves one."""
    rota, names = Rota(every), [f"d{number}" for number in range(deals)]
    rounds = -(-deals // budget)  # a round a block; all are through after so many
    for head in range(1_000, 1_000 + 4 * (every + rounds)):
        rota.follow(names, head)
        cover = {name: covers.randrange(30_000) for name in names}
        chosen = rota.due(head, cover)[:budget]
        rota.attempted(chosen, head)
        rota.checked(chosen, head)
        assert rota.age_blocks(head) <= 2 * every + rounds
