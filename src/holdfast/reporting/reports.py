"""The four reports: which tables each has, and over which time; pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, assert_never

from holdfast.common.errors import Rejected
from holdfast.reporting import sections
from holdfast.reporting.facts import Span
from holdfast.reporting.market_risk import market_risk
from holdfast.reporting.quality import quality
from holdfast.reporting.risk_history import risk_history
from holdfast.reporting.room import limit_changes, room
from holdfast.reporting.summary import summary
from holdfast.reporting.tables import Column, Figure, Kind, Report, Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date
    from uuid import UUID

    from holdfast.reporting.facts import ActRow, DealRow, Facts
    from holdfast.reporting.quality import ChainOfRecord
    from holdfast.reporting.runs import RunRow
    from holdfast.reporting.tables import Plain, Value
    from holdfast.risk.limits import RiskLimits

LOOKBACK_DAYS = 30
"""How far history and compliance look back, the day itself included."""


class ReportKind(StrEnum):
    """The reports that there are."""

    DAILY = "daily"
    EXPOSURE = "exposure"
    HISTORY = "history"
    COMPLIANCE = "compliance"


WITH_PATH = frozenset({ReportKind.DAILY, ReportKind.HISTORY})
"""The reports that show how LTV, health and debt cover went."""


def span_of(kind: ReportKind, day: date, now: datetime) -> Span:
    """The time that a report of `day` (UTC) covers, until now at most.

    Raises:
        Rejected: `report.date` for a day that has not begun.
    """
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    if start > now:
        raise Rejected("report.date", f"{day} has not begun", value=str(day), limit=str(now.date()))
    is_long = kind in {ReportKind.HISTORY, ReportKind.COMPLIANCE}
    since = start - timedelta(days=LOOKBACK_DAYS - 1 if is_long else 0)
    return Span(since, min(now, start + timedelta(days=1)))


def build(
    kind: ReportKind, facts: Facts, limits: RiskLimits, records: Sequence[ChainOfRecord] = ()
) -> Report:
    """The report of that kind from what was read; `records` are for compliance."""
    day = (facts.span.until - timedelta(microseconds=1)).date()
    return Report(
        kind=str(kind),
        title=f"Holdfast: {kind} report, {day}",
        since=facts.span.since,
        until=facts.span.until,
        made_at=facts.made_at,
        tables=tuple(_tables(kind, facts, limits, records)),
    )


def runs_report(runs: Sequence[RunRow], now: datetime) -> Report:
    """What was due on schedule, newest first, and what became of it."""
    columns = (
        Column("kind", Kind.TEXT, "daily report or monthly stress run"),
        Column("period", Kind.TEXT, "the day or month that it is of"),
        Column("due_at", Kind.TIME, "when it was due"),
        Column("made_at", Kind.TIME, "when it was made"),
        Column("state", Kind.TEXT, "made, due, or not wanted: from before the desk's first"),
    )
    rows = tuple((one.kind, one.period, one.due_at, one.made_at, one.state) for one in runs)
    since = min((one.due_at for one in runs), default=now)
    table = Table("runs", "On schedule", columns, rows)
    return Report("runs", "Holdfast: reports on schedule", since, now, now, (table,))


def _tables(
    kind: ReportKind, facts: Facts, limits: RiskLimits, records: Sequence[ChainOfRecord]
) -> Iterator[Table]:
    match kind:
        case ReportKind.DAILY:
            yield from _daily(facts, limits)
        case ReportKind.EXPOSURE:
            yield from _exposures(facts)
            yield sections.exposure_by_deal(facts)
            yield room(facts, limits)
        case ReportKind.HISTORY:
            yield from _history(facts, limits)
        case ReportKind.COMPLIANCE:
            yield approvals(facts)
            yield sections.breaches(facts)
            yield published_limits(limits)
            yield limit_changes(facts)
            yield audit_chains(facts, records)
        case _:
            assert_never(kind)
    yield quality(facts)


def _daily(facts: Facts, limits: RiskLimits) -> Iterator[Table]:
    yield summary(facts)
    yield from _exposures(facts)
    yield room(facts, limits)
    yield sections.deals(facts, limits)
    yield risk_history(facts, limits)
    yield sections.breaches(facts)
    yield sections.activity(facts)
    yield sections.actions(facts)
    yield market_risk(facts)


def _history(facts: Facts, limits: RiskLimits) -> Iterator[Table]:
    yield risk_history(facts, limits)
    yield sections.breaches(facts)
    yield sections.deals(facts, limits)
    yield market_risk(facts)
    yield sections.activity(facts)
    yield sections.actions(facts)


def _exposures(facts: Facts) -> Iterator[Table]:
    yield sections.exposure_by_asset(facts)
    yield sections.exposure_by(facts, "bank", "Exposure by bank", lambda one: one.holding.bank)
    yield sections.exposure_by(
        facts, "chain", "Exposure by chain", lambda one: str(one.holding.chain_id)
    )


def approvals(facts: Facts) -> Table:
    """Who approved what, and whether that was somebody else than who asked."""
    deals: dict[UUID | None, DealRow] = {deal.deal_id: deal for deal in facts.deals}
    columns = (
        Column("at", Kind.TIME, "when it was approved"),
        Column("deal", Kind.TEXT, "the deal by its number"),
        Column("deal_id", Kind.TEXT, "the deal's id", on_page=False),
        Column("bank", Kind.TEXT, "participant bank"),
        Column("author", Kind.TEXT, "who asked for the deal"),
        Column("approver", Kind.TEXT, "who approved its plan"),
        Column("four_eyes", Kind.FLAG, "whether these are two people"),
    )
    rows = tuple(_approval(act, deals) for act in facts.acts if act.action == "deal.approve")
    lacking = sum(row[-1] is False for row in rows)
    note = f"WARNING: {lacking} of {len(rows)} without four eyes." if lacking else ""
    return Table("approvals", "Approvals", columns, rows, note)


def _approval(act: ActRow, deals: Mapping[UUID | None, DealRow]) -> tuple[Value, ...]:
    """Where nobody knows who asked, nobody knows of four eyes either."""
    deal = deals.get(act.deal_id)
    author = None if deal is None else deal.author
    number = act.subject if deal is None else f"deal {deal.number}"
    is_other = author is not None and author != act.actor
    return (act.at, number, str(act.deal_id), act.bank, author, act.actor, is_other)


def published_limits(limits: RiskLimits) -> Table:
    """The published limits, from the settings."""
    columns = (
        Column("limit", Kind.TEXT, "which limit"),
        Column("value", Kind.FIGURE, "what it is, exact by its kind"),
        Column("kind", Kind.TEXT, "what the value is: usd, percent, number, count", on_page=False),
        Column("source", Kind.TEXT, "the rule that it belongs to"),
    )
    found: tuple[tuple[str, Plain, Kind, str], ...] = (
        ("LTV, cap", limits.max_ltv, Kind.PERCENT, "I6"),
        ("LTV, warning", limits.warn_ltv, Kind.PERCENT, "I6"),
        ("exposure to the token, cap", limits.max_exposure, Kind.PERCENT, "I4"),
        ("debt cover, least", limits.min_cover_wad / 10**18, Kind.NUMBER, "I3"),
        ("debt cover, warning", limits.warn_cover_wad / 10**18, Kind.NUMBER, "I3"),
        ("fall of ETH that the reserve survives", limits.gap, Kind.PERCENT, "I3"),
        ("largest deal", limits.max_deal, Kind.USD, "desk"),
        ("loss budget of a lot", limits.loss_budget, Kind.USD, "I8"),
        ("in redemption at a time", limits.in_flight, Kind.USD, "I8"),
        ("age of ETH's price, seconds", limits.oracle_max_age_seconds, Kind.COUNT, "I10"),
        ("age of USDT's price, seconds", limits.cash_oracle_max_age_seconds, Kind.COUNT, "I10"),
    )
    rows = tuple(
        (name, Figure(value, kind), str(kind), source) for name, value, kind, source in found
    )
    return Table("limits", "Published limits", columns, rows)


def _audited(one: ChainOfRecord, numbers: Mapping[UUID, str]) -> tuple[Value, ...]:
    deal = one.deal_id
    whose = "the desk's own" if deal is None else numbers.get(deal, str(deal))
    return (whose, None if deal is None else str(deal), one.entries, one.head, one.holds)


def audit_chains(facts: Facts, records: Sequence[ChainOfRecord]) -> Table:
    """Whether each deal's record is whole, and its end, to compare with one noted elsewhere."""
    columns = (
        Column("record", Kind.TEXT, "whose record: the deal by its number, or the desk's own"),
        Column("deal_id", Kind.TEXT, "the deal; none for the desk's own", on_page=False),
        Column("entries", Kind.COUNT, "entries, those of other days too"),
        Column("head", Kind.TEXT, "SHA-256 of the last entry, which covers all before it"),
        Column("holds", Kind.FLAG, "whether every entry follows from the one before"),
    )
    numbers = sections.numbers(facts)
    rows = tuple(_audited(one, numbers) for one in records)
    return Table("audit", "Integrity of the audit", columns, rows)
