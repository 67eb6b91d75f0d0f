"""How LTV, health and cover went: the worst of each time, and gaps that stay gaps."""

from array import array
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from holdfast.reporting.facts import Point, RiskPath, Span, Worst
from holdfast.reporting.path_charts import Times
from holdfast.reporting.reports import ReportKind, build
from holdfast.reporting.risk_path import (
    MARK_SECONDS,
    MOST_ROWS,
    coarser,
    joined,
    looks_apart,
    point_width,
    read_path,
    seen,
)
from holdfast.reporting.tables import as_json
from holdfast.risk.limits import RiskLimits
from tests.unit.reporting.desk import END, START, facts

NONE = 2**32 - 1
DAY = Span(START, END)
MONTH = Span(END - timedelta(days=30), END)


def minutes(count):
    return START + timedelta(minutes=count)


@dataclass
class Seen:
    """A look: rows of (deal, LTV in bps, cover in bps)."""

    taken_at: datetime
    rows: list = field(default_factory=lambda: [(1, 2_000, 15_700), (2, 2_500, 12_700)])
    market: dict = field(default_factory=lambda: {"threshold_bps": 8_300})
    chain_id: int = 138

    @property
    def deals(self):
        turned = list(zip(*self.rows, strict=True)) or [(), (), ()]
        names = ("number", "ltv_bps", "cover_bps")
        return {name: array("I", column) for name, column in zip(names, turned, strict=True)}


class History:
    """The port over looks in memory."""

    def __init__(self, looks, rows=0):
        self.looks, self.rows, self.asked = looks, rows, []

    async def marks(self, session, since, until):
        return self.rows

    async def sampled(self, session, since, until, *, seconds):
        self.asked.append((since, until, seconds))
        for look in self.looks:
            yield look


async def path(looks, span=DAY, rows=0):
    return await read_path(History(looks, rows), None, span)


def table(found, span=DAY, kind=ReportKind.DAILY):
    return build(kind, facts(path=found, span=span), RiskLimits()).table("risk_history")


def told(found, span=DAY):
    report = build(ReportKind.DAILY, facts(path=found, span=span), RiskLimits())
    return as_json(report)["tables"]["risk_history"]["rows"]


def test_a_look_is_told_by_its_worst_deal():
    point = seen(Seen(minutes(7)), 300)
    assert (point.at, point.looks, point.deals) == (minutes(5), 1, 2)
    # of the second deal: 8,300 / 2,500
    assert (point.ltv, point.health) == (Worst(2_500, 2), Worst(3.32, 2))
    assert point.cover == Worst(1.27, 2)


def test_a_deal_without_debt_has_neither_ltv_nor_cover():
    point = seen(Seen(START, [(1, 0, NONE)]), 300)
    assert (point.deals, point.ltv, point.health, point.cover) == (1, None, None, None)
    assert seen(Seen(START, []), 300).deals == 0


def test_a_look_that_did_not_keep_the_threshold_has_no_health_factor():
    point = seen(Seen(START, market={}), 300)
    assert (point.ltv, point.health) == (Worst(2_500, 2), None)


def test_points_are_joined_by_the_worst_of_each_figure():
    calm = seen(Seen(minutes(0), [(1, 2_000, 15_000)]), 300)
    tense = seen(Seen(minutes(5), [(1, 2_900, 15_500), (2, 0, NONE)]), 300)
    both = joined(calm, tense)
    assert (both.at, both.looks, both.deals) == (START, 2, 2)
    assert (both.ltv, both.cover) == (Worst(2_900, 1), Worst(1.5, 1))
    assert both.health == Worst(8_300 / 2_900, 1)
    free = seen(Seen(minutes(10), []), 300)
    assert joined(free, calm).ltv == joined(calm, free).ltv == Worst(2_000, 1)


def test_a_day_has_every_mark_and_a_month_wider_points():
    assert point_width(DAY, MARK_SECONDS) == 300
    assert point_width(Span(START, minutes(10)), MARK_SECONDS) == 300
    # 30 days of 288 marks each on 288 points would be two and a half hours: three divide a day
    assert point_width(MONTH, MARK_SECONDS) == 10_800
    # looks that are read forty minutes apart
    assert point_width(DAY, 2_400) == 3_600
    assert point_width(DAY, 10**6) == 86_400


@pytest.mark.parametrize(
    ("rows", "seconds"), [(0, 300), (MOST_ROWS, 300), (MOST_ROWS + 1, 600), (7 * MOST_ROWS, 2_100)]
)
def test_of_a_large_book_fewer_looks_are_read(rows, seconds):
    assert looks_apart(rows) == seconds


async def test_the_path_is_read_over_the_span_and_made_of_points():
    history = History([Seen(minutes(0)), Seen(minutes(5)), Seen(minutes(5), chain_id=1)])
    found = await read_path(history, None, DAY)
    assert history.asked == [(START, END, 300)]
    assert [(one.chain_id, one.at) for one in found.points] == [
        (1, minutes(5)),
        (138, minutes(0)),
        (138, minutes(5)),
    ]
    assert found.every == found.width == timedelta(minutes=5)


async def test_a_month_is_made_coarser_but_never_milder():
    spike = Seen(minutes(10), [(3, 2_999, 11_000)])
    found = await path([Seen(minutes(0)), spike, Seen(minutes(15))], MONTH)
    (point,) = found.points
    assert (point.looks, point.ltv) == (3, Worst(2_999, 3))
    assert point.cover == Worst(1.1, 3)


async def test_hours_without_a_look_are_rows_without_one():
    found = await path([Seen(minutes(5)), Seen(minutes(190))])
    rows = told(found, Span(START, minutes(300)))
    assert [row["looks"] for row in rows] == [1, 0, 0, 1, 0]
    assert rows[0]["highest_ltv_percent"] == "25.00"
    assert (rows[0]["ltv_deal"], rows[0]["lowest_health_factor"], rows[0]["lowest_debt_cover"]) == (
        2,
        "3.3200",
        "1.2700",
    )
    assert rows[1]["highest_ltv_percent"] is None
    assert table(found).chart.count("<svg") == 1


async def test_a_month_is_told_by_days():
    found = await path([Seen(MONTH.since), Seen(END - timedelta(hours=1))], MONTH)
    rows = told(found, MONTH)
    assert len(rows) == 30
    assert [row["looks"] for row in rows] == [1, *[0] * 28, 1]
    assert "worst of 180 minutes" in table(found, MONTH, ReportKind.HISTORY).note


def test_without_a_look_the_report_says_so():
    assert table(RiskPath()).note == "The monitor has no looks in this time."
    assert (table(RiskPath()).rows, table(RiskPath()).chart) == ((), "")


def test_a_gap_is_where_nothing_was_seen_for_a_point_or_more():
    five = timedelta(minutes=5)
    times = Times([minutes(0), minutes(5), minutes(20)], five, minutes(40))
    assert times.gaps() == [(minutes(10), minutes(20)), (minutes(25), minutes(40))]
    assert Times([minutes(0)], five, minutes(9)).gaps() == []


def test_wider_points_keep_what_was_seen():
    points = [
        Point(138, minutes(at), 1, 1, Worst(2_000 + at, 1), None, Worst(2 - at / 100, 1))
        for at in (0, 55, 60)
    ]
    first, second = coarser(points, 3_600)
    assert (first.looks, first.ltv, first.cover) == (2, Worst(2_055, 1), Worst(1.45, 1))
    assert (second.at, second.looks) == (START.astimezone(UTC) + timedelta(hours=1), 1)
