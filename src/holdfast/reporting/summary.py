"""The desk in a few figures: what a reader who reads nothing else has seen; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.reporting.quality import quality
from holdfast.reporting.risk_history import floored
from holdfast.reporting.sections import is_open
from holdfast.reporting.tables import Column, Figure, Kind, Table, heading
from holdfast.reporting.valuation import AssetType, total, valued

if TYPE_CHECKING:
    from collections.abc import Iterator

    from holdfast.reporting.facts import AlertRow, Facts
    from holdfast.reporting.tables import Plain

_COLUMNS = (
    Column("figure", Kind.TEXT, "what is counted"),
    Column("value", Kind.FIGURE, "its value, exact by its kind"),
    Column("kind", Kind.TEXT, "what the value is: count, usd, percent, number", on_page=False),
)


def summary(facts: Facts) -> Table:
    """What is open and held, the worst that was seen, and what calls for somebody."""
    figures = (*_held(facts), *_seen(facts), *_told(facts))
    rows = tuple((heading(name), Figure(value, kind), str(kind)) for name, value, kind in figures)
    return Table("summary", "Desk", _COLUMNS, rows)


def _held(facts: Facts) -> Iterator[tuple[str, Plain, Kind]]:
    alive = [deal for deal in facts.deals if is_open(deal)]
    over = [deal for deal in facts.deals if not is_open(deal)]
    closed = [one for one in over if facts.span.since <= one.updated_at < facts.span.until]
    values = valued(facts)
    token = total(one for one in values if one.asset is AssetType.TOKEN)
    yield "open_deals", len(alive), Kind.COUNT
    yield "holding_deals", sum(deal.status == "holding" for deal in alive), Kind.COUNT
    yield "committed_usd", sum(deal.committed for deal in alive), Kind.USD
    yield "net_usd", total(values), Kind.USD
    yield "token_usd", token, Kind.USD
    yield "profit_of_deals_closed_usd", sum(deal.profit or 0 for deal in closed), Kind.USD
    yield (
        "highest_ltv_when_settled",
        max((deal.ltv_bps or 0 for deal in alive), default=0),
        Kind.PERCENT,
    )


def _seen(facts: Facts) -> Iterator[tuple[str, Plain, Kind]]:
    """The worst of all looks of the monitor; nothing where it saw no debt."""
    points = facts.path.points
    ltvs = [one.ltv.value for one in points if one.ltv is not None]
    healths = [one.health.value for one in points if one.health is not None]
    covers = [one.cover.value for one in points if one.cover is not None]
    highest = max(ltvs, default=None)
    yield "highest_ltv_seen", None if highest is None else int(highest), Kind.PERCENT
    lowest = None if not healths else floored(min(healths))
    yield "lowest_health_factor_seen", lowest, Kind.NUMBER
    yield "lowest_debt_cover_seen", min(covers, default=None), Kind.NUMBER


def _told(facts: Facts) -> Iterator[tuple[str, Plain, Kind]]:
    waiting = [alert for alert in facts.alerts if _is_open(alert)]
    critical = sum(alert.severity == "critical" for alert in waiting)
    failed = sum(row[-1] is False for row in quality(facts).rows)
    yield "alerts_open", len(waiting), Kind.COUNT
    yield "critical_alerts_open", critical, Kind.COUNT
    yield "acts", len(facts.acts), Kind.COUNT
    yield "data_checks_failed", failed, Kind.COUNT


def _is_open(alert: AlertRow) -> bool:
    return alert.acknowledged_at is None and alert.resolved_at is None
