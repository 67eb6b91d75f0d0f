"""The monthly stress run: the whole open book through everything that stress knows, as a report."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from holdfast.common.alerts import Severity
from holdfast.planning.json_values import usd
from holdfast.reporting import stress_tables
from holdfast.reporting.formats import Format, written
from holdfast.reporting.schedule import Document
from holdfast.reporting.stress import stress_report
from holdfast.reporting.stress_lines import border, by_harm
from holdfast.reporting.tables import Column, Kind, Report, Table, as_json
from holdfast.risk.matrix import combinations
from holdfast.risk.scenarios import STANDARD, THEOREM

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.common.ids import ChainId
    from holdfast.reporting.tables import Value
    from holdfast.risk.book import OpenBook
    from holdfast.risk.limits import RiskLimits

KIND: Final = "stress"
_VERDICT: Final = (
    Column("figure", Kind.TEXT, "what was found"),
    Column("value", Kind.TEXT, "its value"),
)


@dataclass(frozen=True, slots=True)
class Making:
    """Which run it is, of which chain, and when it is made."""

    name: str
    chain_id: ChainId
    at: datetime


def stress_run(book: OpenBook, made: Making, limits: RiskLimits) -> Report:
    """The book through the standard scenarios, their combinations and reverse stress."""
    at = datetime.fromtimestamp(book.at.timestamp, UTC)
    return Report(
        kind=KIND,
        title=f"Holdfast: {made.name}",
        since=at,
        until=at,
        made_at=made.at,
        tables=_tables(book, limits),
        about=f"chain {made.chain_id}, block {book.at.number:,} ({book.at.hash})",
    )


def document(report: Report) -> Document:
    """The run as it is kept and told of: as a warning where a standard scenario breaks a deal."""
    page = written(report, Format.HTML).decode()
    verdict = report.table("verdict")
    figures = ", ".join(f"{row[0]} {row[1]}" for row in verdict.rows)
    text = f"{report.title}: {verdict.note} {figures}"
    severity = Severity.WARNING if _broken(report) else Severity.INFO
    return Document(as_json(report), page, text, severity)


def _tables(book: OpenBook, limits: RiskLimits) -> tuple[Table, ...]:
    if not book.deals:
        rows = (("open deals", "0"), ("ETH", stress_tables.money(usd(book.eth_price))))
        note = "No deal is open: there is nothing to stress."
        return (Table("verdict", "Verdict", _VERDICT, rows, note),)
    standard = stress_report(book, STANDARD, deal=None, with_reverse=True)
    matrix = stress_report(book, combinations(), deal=None, with_reverse=False)
    return (
        Table("verdict", "Verdict", _VERDICT, _verdict(standard, matrix), _note(standard)),
        stress_tables.scenarios(standard, limits),
        stress_tables.falls(matrix),
        stress_tables.borders(standard),
        stress_tables.combined(matrix),
        stress_tables.deals(standard),
    )


def _verdict(standard: dict[str, Any], matrix: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    lines = standard["scenarios"]
    worst, theorem = min(lines, key=by_harm), _line(lines, THEOREM.name)
    dearest = max(lines, key=lambda one: float(one["loss_usd"]))
    return (
        ("open deals", f"{standard['open_deals']:,}"),
        ("ETH", stress_tables.money(standard["eth_usd"])),
        ("cash of the exit pool", stress_tables.money(standard["exit_pool_cash_usd"])),
        ("standard scenarios in which all principal is whole", _whole(lines)),
        ("combinations in which all principal is whole", _whole(matrix["scenarios"])),
        (
            "least debt cover in a standard scenario",
            f"{worst['lowest_debt_cover'] or 'nothing is owed'} in {worst['scenario']}",
        ),
        (
            "bound of the loss (S + i + f, and the sales for the debt)",
            stress_tables.money(standard["loss_bound_usd"]),
        ),
        ("loss with the token at 0 and ETH -50 %", stress_tables.money(theorem["loss_usd"])),
        (
            "largest loss in a standard scenario",
            f"{stress_tables.money(dearest['loss_usd'])} in {dearest['scenario']}",
        ),
        ("smallest single fall of ETH that breaks I3", breaking_fall(standard)),
    )


def breaking_fall(document: dict[str, Any]) -> str:
    """What single fall of ETH the first deal's reserve does not survive, by reverse stress."""
    found = document["reverse"]
    return next(border(one) for one in found if (one["axis"], one["breaks"]) == ("eth_gap", "I3"))


def _note(standard: dict[str, Any]) -> str:
    broken = [one["scenario"] for one in standard["scenarios"] if not one["principal_whole"]]
    if not broken:
        return "Core and collateral come home whole in every standard scenario."
    return f"NOT whole in: {', '.join(broken)}."


def _broken(report: Report) -> list[Value]:
    """The standard scenarios in which some deal is not whole."""
    lines = [one.rows for one in report.tables if one.name == "scenarios"]
    return [row[0] for rows in lines for row in rows if not row[1]]


def _whole(lines: Sequence[dict[str, Any]]) -> str:
    return f"{sum(one['principal_whole'] for one in lines)} of {len(lines)}"


def _line(lines: Sequence[dict[str, Any]], name: str) -> dict[str, Any]:
    return next(one for one in lines if one["scenario"] == name)
