"""Whether a report's figures can be relied on: complete, in time, and agreeing; pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from holdfast.reporting.sections import is_open
from holdfast.reporting.tables import Column, Kind, Table

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from holdfast.reporting.facts import Facts
    from holdfast.reporting.tables import Value

OLD: Final = timedelta(days=1)
"""What a daily report may not be older than."""

DELIVERY: Final = timedelta(minutes=10)
"""How long an alert may take to reach everybody; its chore is tried again within minutes."""

PAUSE: Final = 600.0
"""Seconds; of ticks older than two days one in five minutes is kept."""

_COLUMNS = (
    Column("dimension", Kind.TEXT, "completeness, timeliness or accuracy"),
    Column("measure", Kind.TEXT, "what is measured"),
    Column("value", Kind.TEXT, "what was found"),
    Column("wanted", Kind.TEXT, "what is right"),
    Column("ok", Kind.FLAG, "whether it is"),
)


@dataclass(frozen=True, slots=True)
class ChainOfRecord:
    """Whether a deal's audit chain holds from its first entry to its last; digest in hex.

    Without a deal it is the desk's own record.
    """

    deal_id: UUID | None
    entries: int
    head: str
    holds: bool


def quality(facts: Facts) -> Table:
    """What is complete, in time and accurate about the records that the report is made from."""
    rows = (*_completeness(facts), *_timeliness(facts), *_accuracy(facts))
    return Table("quality", "Data quality", _COLUMNS, rows)


def _completeness(facts: Facts) -> Iterator[tuple[Value, ...]]:
    booked = {one.deal_id for one in facts.holdings}
    compared = booked & {one.deal_id for one in facts.reconciliations}
    yield _row(
        "completeness",
        "deals with holdings that were compared with the chain",
        f"{len(compared)} of {len(booked)}",
        "all",
        ok=compared == booked,
    )
    chains = {one.chain_id for one in facts.holdings}
    priced = chains & {one.chain_id for one in facts.prices}
    found = f"{len(priced)} of {len(chains)}"
    yield _row("completeness", "chains with a price", found, "all", ok=priced == chains)
    for seen in facts.ticks:
        measure = f"five minutes in which the monitor looked at chain {seen.chain_id}"
        found = f"{seen.marks:,} of {seen.marks_wanted:,}"
        yield _row("completeness", measure, found, "all", ok=seen.marks >= seen.marks_wanted)


def _timeliness(facts: Facts) -> Iterator[tuple[Value, ...]]:
    until = facts.span.until
    alive = {deal.deal_id for deal in facts.deals if is_open(deal)}
    compared = [one.last_at for one in facts.reconciliations if one.deal_id in alive]
    for measure, moments in (
        ("oldest comparison of an open deal with the chain", compared),
        ("oldest price", [one.at for one in facts.prices]),
    ):
        age = max((until - moment for moment in moments), default=timedelta(0))
        age = max(age, timedelta(0))
        shown = f"{int(age.total_seconds())} s"
        yield _row("timeliness", measure, shown, "at most a day", ok=age <= OLD)
    for seen in facts.ticks:
        measure = f"longest pause of the monitor on chain {seen.chain_id}, {seen.ticks} ticks"
        shown = f"{seen.longest_pause:.0f} s"
        yield _row("timeliness", measure, shown, "10 minutes", ok=seen.longest_pause <= PAUSE)
    late = sum(
        (one.delivered_at or facts.made_at) - one.opened_at > DELIVERY for one in facts.alerts
    )
    yield _row(
        "timeliness", "alerts that took over 10 minutes to reach all", str(late), "0", ok=not late
    )


def _accuracy(facts: Facts) -> Iterator[tuple[Value, ...]]:
    differing = [one for one in facts.reconciliations if one.mismatch_units]
    off = sum(abs(one.mismatch_units) for one in differing)
    yield _row(
        "accuracy", "deals whose ledger differs from the chain", str(len(differing)), "0",
        ok=not differing,
    )  # fmt: skip
    yield _row("accuracy", "base units that differ", str(off), "0", ok=off == 0)


def _row(dimension: str, measure: str, value: str, wanted: str, *, ok: bool) -> tuple[Value, ...]:
    return (dimension, measure, value, wanted, ok)
