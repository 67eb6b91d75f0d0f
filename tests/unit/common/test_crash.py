import pytest

from holdfast.common.boundary import unobserved
from holdfast.common.crash import CrashAt, crash_boundary
from holdfast.common.errors import Rejected


def test_the_process_dies_at_the_named_pass_and_at_no_other():
    killed = []
    crash = CrashAt("advance.before_commit", 3, kill=lambda: killed.append(True))
    for _ in range(2):
        crash("advance.before_commit")
        crash("send.after")
    assert killed == []
    crash("advance.before_commit")
    assert killed == [True]
    crash("advance.before_commit")
    assert killed == [True]


def test_without_a_wish_nothing_is_watched():
    assert crash_boundary(None, is_devnet=False) is unobserved


def test_a_chain_with_real_money_refuses_to_crash_on_purpose():
    with pytest.raises(Rejected) as caught:
        crash_boundary("advance.before_commit", is_devnet=False)
    assert caught.value.code == "config.crash_at"


@pytest.mark.parametrize(("wanted", "passes"), [("queue.job_done", 1), ("queue.job_done:2", 2)])
def test_the_wish_names_the_boundary_and_the_pass(wanted, passes, monkeypatch):
    signals = []
    monkeypatch.setattr("os.kill", lambda pid, number: signals.append(number))
    boundary = crash_boundary(wanted, is_devnet=True)
    for passed in range(1, passes + 1):
        assert signals == []
        boundary("queue.job_done")
        assert bool(signals) == (passed == passes)
    assert signals == [9]


def test_a_boundary_that_does_not_exist_is_refused():
    with pytest.raises(Rejected) as caught:
        crash_boundary("advance.sometime", is_devnet=True)
    assert caught.value.code == "config.crash_at"
