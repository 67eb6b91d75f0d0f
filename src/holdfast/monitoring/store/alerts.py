"""Statements over alerts: raise, deliver, list, acknowledge, resolve."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sqlalchemy import Row, Text, and_, cast, func, literal, or_, select, text, update

from holdfast.common.alerts import Alert, Severity
from holdfast.monitoring.model import ChoreState
from holdfast.monitoring.records import DeliveryState, KeptAlert
from holdfast.monitoring.store.tables import IS_OPEN, alerts, chores

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import ColumnElement, Select

    from holdfast.common.alerts import Ended
    from holdfast.common.db import Session
    from holdfast.common.ids import ChainId, DealId, PrincipalId

DELIVERY = "alert"
"""The kind of the chore that delivers an alert; its subject is the alert's id."""

# One row of the same code and subject while it is open, graver but never milder than before. What
# it was told as stays behind, so that the caller sees whether there is something to tell.
_RAISE = text(f"""
    INSERT INTO alerts AS kept
      (code, severity, subject, text, fields, chain_id, deal_id, participant_bank_id)
    VALUES (:code, :severity, :subject, :text, CAST(:fields AS jsonb), :chain_id, :deal_id, :bank)
    ON CONFLICT (code, subject) WHERE {IS_OPEN} DO UPDATE SET
      raised = kept.raised + 1,
      last_seen_at = now(),
      text = excluded.text,
      fields = excluded.fields,
      severity = CASE
        WHEN array_position(CAST(:ranks AS text[]), excluded.severity)
           > array_position(CAST(:ranks AS text[]), kept.severity)
        THEN excluded.severity ELSE kept.severity END
    RETURNING alert_id, severity IS DISTINCT FROM told_severity AS is_untold
""")  # noqa: S608 - a constant
_TOLD = text("""
    UPDATE alerts SET told_severity = severity, reached = '[]', delivered_at = NULL
    WHERE alert_id = :alert_id
""")


async def put(session: Session, alert: Alert) -> int | None:
    """Record the alert; its id when it is to be delivered, None when that was already asked for."""
    values = {  # not orjson, which refuses integers over 64 bits: most of ours are wei
        "code": alert.code,
        "severity": str(alert.severity),
        "subject": alert.subject,
        "text": alert.text,
        "fields": json.dumps(dict(alert.fields), default=str),
        "chain_id": alert.chain_id,
        "deal_id": alert.deal_id,
        "bank": alert.bank_id,
        "ranks": [str(each) for each in Severity],
    }
    row = (await session.execute(_RAISE, values)).one()
    if not row.is_untold:
        return None
    await session.execute(_TOLD, {"alert_id": row.alert_id})
    return int(row.alert_id)


async def note_reached(
    session: Session, alert: KeptAlert, reached: Collection[str], *, is_all: bool
) -> None:
    """Write down which targets have `alert` as it is, and whether these are all."""
    values = {"reached": sorted(reached), "delivered_at": func.now() if is_all else None}
    # One that became graver meanwhile has reached nobody yet.
    is_same = (alerts.c.alert_id == alert.alert_id) & (alerts.c.severity == str(alert.severity))
    await session.execute(update(alerts).where(is_same).values(values))


async def load(session: Session, alert_id: int) -> KeptAlert | None:
    """One alert; None when there is none."""
    found = await session.execute(_read().where(alerts.c.alert_id == alert_id))
    row = found.one_or_none()
    return None if row is None else _kept(row)


async def recent(session: Session, *, with_closed: bool, limit: int) -> list[KeptAlert]:
    """The alerts that came last, those that are open or all."""
    query = _read().order_by(alerts.c.last_seen_at.desc(), alerts.c.alert_id.desc()).limit(limit)
    if not with_closed:
        query = query.where(text(IS_OPEN))
    return [_kept(row) for row in await session.execute(query)]


async def count_open(session: Session) -> dict[Severity, int]:
    """How many alerts of each severity are open; none of a severity is no key."""
    query = select(alerts.c.severity, func.count()).where(text(IS_OPEN)).group_by(alerts.c.severity)
    return {Severity(severity): count for severity, count in await session.execute(query)}


async def open_of(
    session: Session, chain_id: ChainId, beginnings: Collection[str]
) -> dict[tuple[str, str], Severity]:
    """The open alerts of a chain whose codes begin so: by code and subject, how grave."""
    begins = or_(*(alerts.c.code.startswith(one, autoescape=True) for one in beginnings))
    query = select(alerts.c.code, alerts.c.subject, alerts.c.severity).where(
        alerts.c.chain_id == chain_id, begins, text(IS_OPEN)
    )
    return {
        (code, subject): Severity(severity)
        for code, subject, severity in await session.execute(query)
    }


async def acknowledge(session: Session, alert_id: int, by: PrincipalId) -> bool:
    """Close the alert; whether it was open."""
    done = await session.execute(
        update(alerts)
        .where(alerts.c.alert_id == alert_id, text(IS_OPEN))
        .values(acknowledged_by=by, acknowledged_at=func.now())
        .returning(alerts.c.alert_id)
    )
    return done.one_or_none() is not None


async def resolve(session: Session, ended: Ended) -> None:
    """Close the open alerts whose cause ended."""
    await session.execute(
        update(alerts)
        .where(
            alerts.c.subject == ended.subject,
            alerts.c.code.startswith(ended.codes, autoescape=True),
            text(IS_OPEN),
        )
        .values(resolved_at=func.now())
    )


async def standing(
    session: Session, chain_id: ChainId, code: str, deals: Collection[DealId] | None = None
) -> dict[DealId, bool]:
    """The deals with an alert of that code whose cause was not seen to end; False: acknowledged.

    Of all deals of the chain, or of these alone.
    """
    is_open = func.bool_or(alerts.c.acknowledged_at.is_(None))
    query = select(alerts.c.deal_id, is_open).where(
        alerts.c.chain_id == chain_id, *_lasting(code, deals)
    )
    found = await session.execute(query.group_by(alerts.c.deal_id))
    return {deal_id: bool(open_) for deal_id, open_ in found}


async def settle(session: Session, code: str, deals: Collection[DealId]) -> None:
    """Write that the cause of these deals' alerts ended, of those too that were acknowledged."""
    if deals:
        ended = update(alerts).where(*_lasting(code, deals))
        await session.execute(ended.values(resolved_at=func.now()))


def _lasting(code: str, deals: Collection[DealId] | None) -> list[ColumnElement[bool]]:
    found = [alerts.c.code == code, alerts.c.resolved_at.is_(None), alerts.c.deal_id.is_not(None)]
    return found if deals is None else [*found, alerts.c.deal_id.in_(deals)]


def _read() -> Select[Any]:
    is_its_chore = and_(
        chores.c.kind == literal(DELIVERY), chores.c.subject == cast(alerts.c.alert_id, Text)
    )
    columns = (alerts, chores.c.state.label("chore_state"), chores.c.error)
    return select(*columns).outerjoin(chores, is_its_chore)


def _kept(row: Row[Any]) -> KeptAlert:
    return KeptAlert(
        alert_id=row.alert_id,
        code=row.code,
        severity=Severity(row.severity),
        subject=row.subject,
        text=row.text,
        fields=row.fields,
        chain_id=row.chain_id,
        deal_id=row.deal_id,
        bank_id=row.participant_bank_id,
        count=row.raised,
        opened_at=row.opened_at,
        last_seen_at=row.last_seen_at,
        acknowledged_by=row.acknowledged_by,
        acknowledged_at=row.acknowledged_at,
        resolved_at=row.resolved_at,
        reached=frozenset(row.reached),
        delivery=_delivery(row),
        error=row.error,
    )


def _delivery(row: Row[Any]) -> DeliveryState:
    if row.delivered_at is not None:
        return DeliveryState.DELIVERED
    is_given_up = row.chore_state == ChoreState.FAILED
    return DeliveryState.FAILED if is_given_up else DeliveryState.PENDING
