import asyncio
import functools

import pytest
from structlog.testing import capture_logs

from holdfast.common.errors import Ambiguous, Broken, Rejected, Transient
from holdfast.common.retry import log_retries, patiently


class Failing:
    """Raises `error` a number of times, then returns 7."""

    def __init__(self, error, times):
        self.error, self.left, self.calls = error, times, 0

    async def __call__(self):
        self.calls += 1
        if self.left > 0:
            self.left -= 1
            raise self.error
        return 7


@pytest.fixture
def slept(monkeypatch):
    """The pauses, none of which is waited for."""
    pauses, sleep = [], asyncio.sleep

    async def note(seconds):
        pauses.append(seconds)
        await sleep(0)

    monkeypatch.setattr(asyncio, "sleep", note)
    return pauses


async def test_what_was_not_done_is_asked_for_again(slept):
    call = Failing(Transient("node.away", "away"), times=3)
    assert await patiently(call) == 7
    assert call.calls == 4
    assert len(slept) == 3


@pytest.mark.parametrize("family", [Ambiguous, Rejected, Broken])
async def test_nothing_else_is_ever_repeated(slept, family):
    call = Failing(family("x.y", "no"), times=1)
    with pytest.raises(family):
        await patiently(call)
    assert call.calls == 1
    assert slept == []


async def test_a_bug_is_not_repeated(slept):
    call = Failing(RuntimeError("planted"), times=1)
    with pytest.raises(RuntimeError, match="planted"):
        await patiently(call)
    assert call.calls == 1


async def test_pauses_grow_to_a_limit_and_differ(slept):
    await patiently(Failing(Transient("node.away", "away"), times=12))
    # 0.2, 0.4, 0.8, 1.6, then at most 2, each with up to 0.3 of chance
    for pause, least in zip(slept, [0.2, 0.4, 0.8, 1.6, *([2.0] * 8)], strict=True):
        assert least <= pause <= min(2.0, least + 0.3)
    first = [*slept]
    slept.clear()
    await patiently(Failing(Transient("node.away", "away"), times=3))
    assert slept[:3] != first[:3]


async def test_patience_ends_and_the_last_error_is_raised_on():
    call = Failing(Transient("node.away", "away"), times=1_000)
    with pytest.raises(Transient) as caught:
        await patiently(call, seconds=0.3)
    assert caught.value.code == "node.away"
    assert call.calls <= 3


async def test_a_retry_is_one_event_that_shows_no_arguments(slept):
    log_retries()
    failures = [Transient("node.away", "away", url="masked")]

    async def fail_once(key):
        if failures:
            raise failures.pop()

    call = functools.partial(fail_once, key="not to be shown")
    with capture_logs() as events:
        await patiently(call)
    (event,) = events
    assert event.pop("wait_seconds") >= 0.2
    assert event == {
        "event": "retry.scheduled",
        "log_level": "warning",
        "attempt": 1,
        "code": "node.away",
        "family": "transient",
        "message": "away",
        "fields": {"url": "masked"},
    }
