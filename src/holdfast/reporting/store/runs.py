"""The runs that were due, and the reports made of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Column, DateTime, Table, Text, text

from holdfast.common.db import Json, metadata, stamp
from holdfast.reporting.runs import Run, RunKind, RunRow, parse_subject

if TYPE_CHECKING:
    from datetime import datetime

    from holdfast.common.db import Session

report_runs = Table(
    "report_runs",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("period", Text, primary_key=True),
    Column("due_at", DateTime(timezone=True), nullable=False),
    Column("made_at", DateTime(timezone=True)),
    Column("document", Json),
    Column("page", Text),
    stamp("created_at"),
)

_NEWEST = text("SELECT kind, max(period) AS period FROM report_runs GROUP BY kind")
_PUT = text("""
    INSERT INTO report_runs (kind, period, due_at) VALUES (:kind, :period, :due_at)
    ON CONFLICT DO NOTHING RETURNING period
""")
_BEGIN = text("""
    INSERT INTO report_runs (kind, period, due_at, made_at)
    VALUES (:kind, :period, :due_at, :now) ON CONFLICT DO NOTHING
""")
_LATE = text("""
    SELECT kind || ':' || period AS subject FROM report_runs
    WHERE made_at IS NULL AND due_at < :before ORDER BY due_at
""")
_KEEP = text("""
    UPDATE report_runs SET made_at = :at, document = CAST(:document AS jsonb), page = :page
    WHERE kind = :kind AND period = :period AND made_at IS NULL RETURNING period
""")
_MADE = text("""
    SELECT document, page FROM report_runs
    WHERE kind = :kind AND period = :period AND document IS NOT NULL
""")


_LISTED = text("""
    SELECT kind, period, due_at, made_at, document IS NOT NULL AS is_kept FROM report_runs
    ORDER BY due_at DESC, kind LIMIT :most
""")


async def newest(session: Session) -> dict[RunKind, str]:
    """The last period of each kind that has a row; periods sort as text."""
    rows = await session.execute(_NEWEST)
    return {RunKind(row.kind): row.period for row in rows if row.kind in set(RunKind)}


async def put(session: Session, run: Run) -> bool:
    """Write that a run is due; whether nobody else had."""
    row = {"kind": str(run.kind), "period": run.period, "due_at": run.due_at}
    return (await session.execute(_PUT, row)).one_or_none() is not None


async def begin(session: Session, run: Run, now: datetime) -> None:
    """Write that the schedule begins after `run`, which nobody makes."""
    row = {"kind": str(run.kind), "period": run.period, "due_at": run.due_at, "now": now}
    await session.execute(_BEGIN, row)


async def late(session: Session, before: datetime) -> list[str]:
    """The subjects of what was due before that moment and is not made."""
    return list((await session.execute(_LATE, {"before": before})).scalars())


async def keep(session: Session, subject: str, *, document: str, page: str, at: datetime) -> bool:
    """Write what a run made; whether it was not made before."""
    kind, period = parse_subject(subject)
    row = {"kind": str(kind), "period": period, "document": document, "page": page, "at": at}
    return (await session.execute(_KEEP, row)).one_or_none() is not None


async def made(session: Session, kind: RunKind, period: str) -> tuple[dict[str, Any], str] | None:
    """What a run made: its document and its page; None when it did not."""
    row = (await session.execute(_MADE, {"kind": str(kind), "period": period})).one_or_none()
    return None if row is None else (row.document, row.page)


async def listed(session: Session, most: int) -> list[RunRow]:
    """The last `most` runs that were due, newest first."""
    return [RunRow(*row) for row in await session.execute(_LISTED, {"most": most})]
