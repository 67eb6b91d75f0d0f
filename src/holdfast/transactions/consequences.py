"""What follows from changes of intents once they are written: alerts, and deals to wake; pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdfast.transactions.alerts import alerts_of, ended_of
from holdfast.transactions.model import REORG, IntentStatus

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from holdfast.common.alerts import Alert, Ended
    from holdfast.common.ids import DealId, GroupId, IntentId
    from holdfast.transactions.model import StatusChange


@dataclass(frozen=True, slots=True)
class Consequences:
    """What is to be done in the transaction that wrote the changes.

    Args:
        alerts: to raise.
        over: what was told and is not so any more; to close before anything is raised.
        never_sent: final intents whose newest bytes never went out, and must not any more.
        groups: those that may be final as a whole now.
        unclear: the deals to wake at once, whose groups may never be final: to hold, or to go on
            where it became clear.
        reorged: the deals of final intents that a reorg had taken back.
    """

    alerts: tuple[Alert, ...]
    over: tuple[Ended, ...]
    never_sent: tuple[IntentId, ...]
    groups: frozenset[GroupId]
    unclear: frozenset[DealId]
    reorged: frozenset[DealId]


def consequences_of(changes: Sequence[StatusChange], written: Collection[IntentId]) -> Consequences:
    """What follows from those of `changes` that were written; another loop's were, of the rest."""
    real = [one for one in changes if one.intent.intent_id in written]
    final = [one.intent for one in real if one.status.is_final]
    unclear = [
        one.intent for one in real if IntentStatus.AMBIGUOUS in (one.status, one.intent.status)
    ]
    return Consequences(
        alerts=alerts_of(real),
        over=ended_of(real),
        never_sent=tuple(one.intent_id for one in final if one.last.sent is None),
        groups=frozenset(one.new.group_id for one in final),
        unclear=frozenset(one.new.deal_id for one in unclear),
        reorged=frozenset(one.new.deal_id for one in final if one.reason == REORG),
    )
