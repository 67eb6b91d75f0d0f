"""Which reports are due, at midnight, after a pause and on a desk that never made one."""

from datetime import UTC, datetime, timedelta

import pytest

from holdfast.common.errors import Broken
from holdfast.reporting.runs import MOST_DAYS, RunKind, begun, due, parse_subject

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


def newest(day, month="2026-02"):
    return {RunKind.DAILY: day, RunKind.STRESS: month}


def subjects(now, *last):
    return [run.subject for run in due(now, newest(*last))]


def test_the_day_before_is_due_once():
    assert subjects(NOON, "2026-03-08") == ["daily:2026-03-09"]
    assert subjects(NOON, "2026-03-09") == []


def test_a_day_is_not_over_until_five_minutes_after_midnight():
    midnight = datetime(2026, 3, 10, tzinfo=UTC)
    assert subjects(midnight + timedelta(minutes=4), "2026-03-08") == []
    (run,) = due(midnight + timedelta(minutes=5), newest("2026-03-08"))
    assert (run.subject, run.due_at) == ("daily:2026-03-09", midnight + timedelta(minutes=5))


def test_a_new_desk_has_missed_nothing_and_begins_with_what_comes_next():
    assert due(NOON, {}) == ()
    assert [run.subject for run in begun(NOON)] == ["daily:2026-03-09", "stress:2026-02"]
    assert due(NOON, {run.kind: run.period for run in begun(NOON)}) == ()
    tomorrow = due(NOON + timedelta(days=1), {run.kind: run.period for run in begun(NOON)})
    assert [run.subject for run in tomorrow] == ["daily:2026-03-10"]


def test_after_a_pause_every_day_is_made_up_for_and_known_to_be_late():
    runs = due(NOON, newest("2026-03-06"))
    assert [run.period for run in runs] == ["2026-03-07", "2026-03-08", "2026-03-09"]
    assert [run.due_at.day for run in runs] == [8, 9, 10]


def test_after_a_long_pause_only_the_last_month_is():
    runs = due(NOON, newest("2025-01-01"))
    assert len(runs) == MOST_DAYS
    assert runs[0].period == "2026-02-07"


def test_the_month_before_is_due_once_it_is_over():
    assert subjects(NOON, "2026-03-09", "2026-01") == ["stress:2026-02"]
    new_year = datetime(2026, 1, 1, 0, 6, tzinfo=UTC)
    (run,) = due(new_year, newest("2025-12-31", "2025-11"))
    assert (run.kind, run.period, run.due_at.day) == (RunKind.STRESS, "2025-12", 1)


def test_a_subject_is_read_back():
    assert parse_subject("daily:2026-03-09") == (RunKind.DAILY, "2026-03-09")
    with pytest.raises(Broken) as caught:
        parse_subject("weekly:2026-10")
    assert caught.value.code == "report.run"
