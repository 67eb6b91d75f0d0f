"""One endpoint's circuit, and what a round of looks proves; times and draws are hand-worked."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.chain.health import (
    FAILURES_IN_A_ROW,
    LONGEST_OUTAGE_PAUSE_SECONDS,
    STABLE_SECONDS,
    Circuit,
    Failure,
    Health,
    Trouble,
    allowed_lag_blocks,
    best_head,
    misplaced,
    outvoted,
    pause_seconds,
)

LOST = Failure("HTTP 503", is_costly=False)
TIMEOUT = Failure("no answer in 10 s", is_costly=True)
USED = Health().probing().closed(100.0)


def after(health, *failures, now=200.0):
    for failure in failures:
        health = health.answered() if failure is None else health.failed(failure, now, 0.0)
    return health


def test_an_endpoint_is_not_used_before_it_was_looked_at():
    assert not Health().is_used
    assert Health().trouble is Trouble.UNVERIFIED
    assert Health().is_due(0.0)


def test_a_probe_that_finds_nothing_wrong_puts_it_to_use():
    assert USED.is_used
    assert (USED.since, USED.trouble) == (100.0, None)


@pytest.mark.parametrize(
    ("failures", "is_used"),
    [
        ([LOST, LOST], True),
        ([LOST, LOST, LOST], False),
        ([LOST, LOST, None, LOST, LOST], True),  # an answer in between begins the count again
        ([TIMEOUT], False),  # the next caller would wait as long
    ],
)
def test_three_lost_answers_in_a_row_or_one_costly_one_open_the_circuit(failures, is_used):
    health = after(USED, *failures)
    assert health.is_used is is_used
    assert is_used or health.trouble is Trouble.UNREACHABLE


def test_an_endpoint_that_loses_every_second_answer_is_taken_out_though_never_three_in_a_row():
    # 9 lost of 18 stay; the tenth within twenty opens.
    health = after(USED, *[LOST, None] * 9)
    assert health.is_used
    health = after(health, LOST)
    assert (health.circuit, health.trouble) == (Circuit.OPEN, Trouble.ERRORS)


def test_failures_that_left_the_window_do_not_count():
    health = after(USED, *[LOST, None] * 9, *[None] * 20, LOST)
    assert health.is_used


def test_each_pause_is_twice_as_long_up_to_five_seconds():
    # 0.25 0.5 1 2 4, then 8 is cut to 5
    pauses = [pause_seconds(Trouble.UNREACHABLE, openings, 0.0) for openings in range(1, 8)]
    assert pauses == [0.25, 0.5, 1.0, 2.0, 4.0, 5.0, 5.0]


def test_an_endpoint_that_lies_is_asked_again_only_once_a_minute():
    assert pause_seconds(Trouble.REFUSED, 9, 0.0) == 60.0
    assert pause_seconds(Trouble.DISAGREES, 8, 0.0) == 32.0


def test_a_quarter_of_a_pause_is_drawn():
    # 4 s less 25 % of it times a draw of 0.5
    assert pause_seconds(Trouble.ERRORS, 5, 0.5) == 3.5


def test_a_probe_is_due_when_the_pause_is_over_and_not_before():
    health = after(USED, TIMEOUT, now=200.0)
    assert not health.is_due(200.2)
    assert health.is_due(200.25)
    assert not health.probing().is_due(300.0)  # one probe at a time


def test_a_probe_that_fails_doubles_the_pause_and_keeps_since_when():
    health = after(USED, TIMEOUT, now=200.0).probing().failed(LOST, 201.0, 0.0)
    assert (health.circuit, health.openings) == (Circuit.OPEN, 2)
    assert (health.since, health.retry_at) == (200.0, 201.5)


def test_another_trouble_begins_its_own_time():
    health = after(USED, TIMEOUT, now=200.0).probing()
    health = health.opened(Trouble.LAGGING, "9 behind", 201.0, 0.0)
    assert (health.trouble, health.since) == (Trouble.LAGGING, 201.0)


def test_pauses_begin_short_again_after_a_stable_time_and_only_then():
    flapping = after(USED, TIMEOUT, now=101.0).probing().closed(102.0)
    assert after(flapping, TIMEOUT, now=102.0 + STABLE_SECONDS - 1).openings == 2
    assert after(flapping, TIMEOUT, now=102.0 + STABLE_SECONDS).openings == 1


def test_an_answer_lost_after_the_circuit_opened_changes_nothing():
    health = after(USED, TIMEOUT)
    assert after(health, TIMEOUT, now=201.0) is health


def test_an_endpoint_without_failures_costs_nothing_to_note():
    assert USED.answered() is USED


EVENTS = st.lists(
    st.tuples(st.floats(0, 10), st.sampled_from(["answer", "lost", "timeout", "probe"])),
    max_size=60,
)


@given(events=EVENTS, draw=st.floats(0, 1, exclude_max=True))
def test_whatever_happens_an_endpoint_that_is_out_may_be_probed_soon(events, draw):
    health, now = USED, 100.0
    for seconds, event in events:
        now += seconds
        match event:
            case "answer":
                health = health.answered()
            case "lost":
                health = health.failed(LOST, now, draw)
            case "timeout":
                health = health.failed(TIMEOUT, now, draw)
            case _ if health.is_due(now):
                health = health.probing().closed(now)
        assert health.is_used == (health.circuit is Circuit.CLOSED)
        assert health.is_used == (health.trouble is None)
        assert health.is_used or health.is_due(now + LONGEST_OUTAGE_PAUSE_SECONDS)
        assert not health.is_used or health.failures < FAILURES_IN_A_ROW


@pytest.mark.parametrize(
    ("block_time", "blocks"),
    [(1, 10), (5, 3), (12, 3), (2, 5), (0, 64)],  # ten seconds of blocks, at least three
)
def test_how_far_an_endpoint_may_lag(block_time, blocks):
    assert allowed_lag_blocks(block_time) == blocks


@pytest.mark.parametrize(
    ("heads", "followed", "best"),
    [
        ({"a": 100}, 0, 100),
        ({"a": 100, "b": 101}, 0, 101),
        ({"a": 100, "b": 200}, 0, 200),  # alone against one: the newer is taken
        ({"a": 100, "b": 101, "c": 200}, 0, 101),  # alone against two that stand together
        ({"a": 100, "b": 101, "c": 200}, 199, 199),  # but 199 was seen before
    ],
)
def test_the_newest_block_that_may_be_believed(heads, followed, best):
    assert best_head(heads, 3, followed) == best


@pytest.mark.parametrize(
    ("heads", "followed", "troubles"),
    [
        ({"a": 100, "b": 97}, 0, {}),
        ({"a": 100, "b": 96}, 0, {"b": Trouble.LAGGING}),
        ({"a": 100, "b": 101, "c": 105}, 0, {"c": Trouble.DISAGREES}),
        ({"a": 3_100, "b": 100}, 0, {"b": Trouble.LAGGING}),
        ({"a": 3_101, "b": 100}, 0, {"a": Trouble.DISAGREES, "b": Trouble.DISAGREES}),
        ({"a": 3_101, "b": 100}, 3_090, {"b": Trouble.LAGGING}),  # what it shows was used before
        ({"a": 10**9, "b": 100, "c": 99}, 0, {"a": Trouble.DISAGREES}),
        ({"b": 96}, 100, {"b": Trouble.LAGGING}),  # the one that showed 100 is gone
        ({"b": 97}, 100, {}),
    ],
)
def test_who_is_too_far_behind_or_ahead(heads, followed, troubles):
    assert misplaced(heads, 3, followed) == troubles


@pytest.mark.parametrize(
    ("hashes", "liars"),
    [
        ({"a": "0x1", "b": "0x1", "c": "0x1"}, set()),
        ({"a": "0x1"}, set()),
        ({"a": "0x1", "b": "0x2", "c": "0x1"}, {"b"}),
        ({"a": "0x1", "b": "0x2"}, {"a", "b"}),  # nobody can say which
        ({"a": "0x1", "b": "0x2", "c": "0x3"}, {"a", "b", "c"}),
        ({"a": "0x1", "b": "0x1", "c": "0x2", "d": "0x2"}, {"a", "b", "c", "d"}),
    ],
)
def test_the_majority_says_which_block_is_settled(hashes, liars):
    assert outvoted(hashes) == liars


@given(st.dictionaries(st.text(min_size=1), st.sampled_from("xyz"), min_size=1))
def test_those_who_are_believed_agree_and_are_more_than_half(hashes):
    believed = set(hashes) - outvoted(hashes)
    assert len({hashes[name] for name in believed}) <= 1
    assert not believed or 2 * len(believed) > len(hashes)
