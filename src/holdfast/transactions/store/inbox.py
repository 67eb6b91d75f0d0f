"""Statements for the inbox: its cases, and what a repair writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, bindparam, or_, select, text

from holdfast.common.errors import Rejected
from holdfast.transactions.model import TROUBLED, AttemptState
from holdfast.transactions.repairs import Case
from holdfast.transactions.store.reading import WHOLE
from holdfast.transactions.store.recording import CHANNEL
from holdfast.transactions.store.rows import intents_of
from holdfast.transactions.store.tables import IS_LIVE, IS_UNREAD, intents

if TYPE_CHECKING:
    from collections.abc import Iterable

    from holdfast.common.db import Session
    from holdfast.common.evm import Address
    from holdfast.common.ids import ChainId, IntentId

_MORE = ("evidence", "created_at", "updated_at", "acknowledged_at", "version")
_CASES = WHOLE.add_columns(*(intents.c[name].label(f"case_{name}") for name in _MORE))
_TROUBLED = sorted(TROUBLED)
_OPEN = _CASES.where(
    intents.c.chain_id == bindparam("chain"),
    or_(and_(text(IS_LIVE), intents.c.status.in_(_TROUBLED)), text(IS_UNREAD)),
)
_ONE = _CASES.where(intents.c.intent_id == bindparam("intent"))
_LOCK = select(intents.c.version).where(intents.c.intent_id == bindparam("intent"))


async def open_cases(session: Session, chain_id: ChainId) -> list[Case]:
    """Every intent that is ambiguous, stuck, or displaced and not acknowledged."""
    return _cases(await session.execute(_OPEN, {"chain": chain_id}))


async def case_of(session: Session, intent_id: IntentId) -> Case:
    """One intent, whatever its status.

    Raises:
        Rejected: `tx.not_found`.
    """
    found = _cases(await session.execute(_ONE, {"intent": intent_id}))
    if not found:
        raise Rejected("tx.not_found", f"there is no intent {intent_id}: see `holdfast tx inbox`")
    return found[0]


async def locked_case(session: Session, intent_id: IntentId) -> Case:
    """The same, with its row locked until the transaction ends; raises as `case_of`."""
    await session.execute(_LOCK.with_for_update(), {"intent": intent_id})
    return await case_of(session, intent_id)


_NONCES = text(f"""
    SELECT
        (SELECT min(nonce) FROM intents
         WHERE chain_id = :chain AND sender = :sender AND {IS_LIVE}) AS first_live,
        (SELECT intent_id FROM intents
         WHERE chain_id = :chain AND sender = :sender AND nonce = :next) AS holder
""")  # noqa: S608 - constants only


async def nonces_of(
    session: Session, chain_id: ChainId, sender: Address, next_nonce: int
) -> tuple[int | None, IntentId | None]:
    """The sender's lowest live nonce, and its intent at `next_nonce`; None where there is none."""
    where = {"chain": chain_id, "sender": sender, "next": next_nonce}
    row = (await session.execute(_NONCES, where)).one()
    return row.first_live, row.holder


_UNSEND = text(f"""
    WITH again AS (
        UPDATE attempts SET state = '{AttemptState.SIGNED}', version = version + 1,
            updated_at = now()
        WHERE intent_id = :intent AND attempt_no = :attempt_no
    )
    UPDATE intents SET version = version + 1, updated_at = now() WHERE intent_id = :intent
    RETURNING pg_notify('{CHANNEL}', CAST(chain_id AS text))
""")  # noqa: S608 - constants only


async def send_again(session: Session, case: Case) -> None:
    """Have the newest attempt's bytes broadcast once more."""
    intent = case.intent
    where = {"intent": intent.intent_id, "attempt_no": intent.last.attempt_no}
    await session.execute(_UNSEND, where)


_CANCEL = text(f"""
    UPDATE intents SET cancel_requested = true, version = version + 1, updated_at = now()
    WHERE intent_id = :intent RETURNING pg_notify('{CHANNEL}', CAST(chain_id AS text))
""")  # noqa: S608 - constants only


async def ask_to_cancel(session: Session, intent_id: IntentId) -> None:
    """Mark one live intent for cancellation."""
    await session.execute(_CANCEL, {"intent": intent_id})


_ACKNOWLEDGE = text("""
    UPDATE intents SET acknowledged_at = now(), version = version + 1, updated_at = now()
    WHERE intent_id = :intent
""")


async def acknowledge(session: Session, intent_id: IntentId) -> None:
    """Note that a person has seen a displaced intent."""
    await session.execute(_ACKNOWLEDGE, {"intent": intent_id})


def _cases(found: Iterable[Any]) -> list[Case]:
    rows = list(found)
    by_id = {row.intent_id: row for row in rows}
    return [_case(intent, by_id[intent.intent_id]) for intent in intents_of(rows)]


def _case(intent: Any, row: Any) -> Case:  # noqa: ANN401 - a database row
    return Case(
        intent=intent,
        evidence=row.case_evidence,
        created_at=row.case_created_at,
        updated_at=row.case_updated_at,
        acknowledged_at=row.case_acknowledged_at,
        version=row.case_version,
    )
