"""What a reorg takes back: intents that were decided by a block which is no longer there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.common.evm import TxHash
    from holdfast.common.ids import DealId, IntentId, LegId
    from holdfast.transactions.model import IntentStatus, Place


@dataclass(frozen=True, slots=True)
class Orphan:
    """An intent that was decided by a block which the chain no longer has.

    `status` is the one it had, `tx_hash` the attempt that was mined there; None for an intent that
    was displaced there.
    """

    intent_id: IntentId
    leg_id: LegId
    deal_id: DealId
    status: IntentStatus
    tx_hash: TxHash | None
    block: Place


@dataclass(frozen=True, slots=True)
class Unmined:
    """What a reorg took back.

    Args:
        pending: were not final yet.
        reopened: were final at their leg's depth, and are sent again.
        lost: were deeper than the chain's finality, which must not happen; they stay as they are.
    """

    pending: tuple[Orphan, ...] = ()
    reopened: tuple[Orphan, ...] = ()
    lost: tuple[Orphan, ...] = ()

    @classmethod
    def of(cls, orphans: Sequence[Orphan], final_to: int) -> Unmined:
        """`orphans` told apart; blocks up to number `final_to` are as deep as finality."""
        final = [one for one in orphans if one.status.is_final]
        return cls(
            pending=tuple(one for one in orphans if not one.status.is_final),
            reopened=tuple(one for one in final if one.block.number > final_to),
            lost=tuple(one for one in final if one.block.number <= final_to),
        )

    @property
    def taken_back(self) -> tuple[Orphan, ...]:
        """Those whose bytes go out again."""
        return (*self.pending, *self.reopened)
