"""Takes deals back to where a reorg left them, in the chain loop's own transaction."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from holdfast.audit.model import Act
from holdfast.common.alerts import Severity
from holdfast.execution.alerts import about
from holdfast.execution.script import held
from holdfast.execution.settlement import reopened
from holdfast.execution.standstill import act_of
from holdfast.model.deal import TERMINAL, DealStatus, HoldReason
from holdfast.transactions.alerts import REOPENED

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from holdfast.audit.model import JsonValue
    from holdfast.audit.service import AuditTrail
    from holdfast.common.alerts import Alarm
    from holdfast.common.clock import Clock
    from holdfast.common.db import Session
    from holdfast.common.evm import TxHash
    from holdfast.common.ids import DealId
    from holdfast.execution.bookkeeping import Bookkeeping
    from holdfast.execution.ports import Wakes
    from holdfast.execution.records import DealRecord
    from holdfast.execution.store.deals import DealStore
    from holdfast.transactions.unmined import Orphan

_CAN_HOLD = frozenset({DealStatus.EXECUTING, DealStatus.HOLDING, DealStatus.CLOSING})

_NOT_SENT: Final = "nothing was resent"
_SENT_AGAIN: Final = "the deal is over and stays so, but the same bytes were sent again"


@dataclass(frozen=True, slots=True)
class Reopening:
    """What the journal tells of reorgs that took back final intents.

    `finality` is how many blocks must hold a transaction before its deal may be over.
    """

    finality: int
    deals: DealStore
    books: Bookkeeping
    audit: AuditTrail
    wakes: Wakes
    alarm: Alarm
    clock: Clock

    async def reopened(self, session: Session, orphans: Sequence[Orphan]) -> None:
        """Have the legs under way again, their ledger entries reversed, and the deals woken.

        Every deal's version moves on, so that what was decided before is not written over it.
        """
        for deal_id, of_deal in _by_deal(orphans):
            deal = await self.deals.load_locked(session, deal_id)
            if deal.status in TERMINAL:
                await self._tell_lost(session, deal, of_deal, done=_SENT_AGAIN)
            else:
                await self._reopen(session, deal, of_deal)

    async def lost(self, session: Session, orphans: Sequence[Orphan]) -> None:
        """Hold the deals, unless they are over, and have somebody look."""
        for deal_id, of_deal in _by_deal(orphans):
            deal = await self.deals.load_locked(session, deal_id)
            await self._tell_lost(session, deal, of_deal, done=_NOT_SENT)
            if deal.status in _CAN_HOLD:
                await self._hold(session, deal)

    async def _reopen(self, session: Session, deal: DealRecord, orphans: Sequence[Orphan]) -> None:
        after = reopened(deal, {orphan.leg_id for orphan in orphans})
        first = min(orphan.block.number for orphan in orphans)
        now, no_ops = self.clock.now(), _no_ops(orphans, deal)
        await self.books.reopen(session, deal, after, first=first, wake_at=now, no_ops=no_ops)
        facts = _facts(orphans, deal)
        await self.audit.record(session, _act(deal, "deal.reopened", facts))
        text = (
            f"a reorg took back {len(orphans)} transactions of this deal that counted as done: "
            "the same bytes were sent again, and the deal waits for them"
        )
        await self.alarm.raised(
            session, about(deal, REOPENED, Severity.WARNING, text=text, fields=facts)
        )
        await self.wakes.wake(session, deal.deal_id)

    async def _tell_lost(
        self, session: Session, deal: DealRecord, orphans: Sequence[Orphan], *, done: str
    ) -> None:
        text = (
            f"a reorg took back {len(orphans)} transactions that the chain's finality of "
            f"{self.finality} blocks was to protect: {done}. Compare the deal with the chain, and "
            "raise the finality in the chain's profile"
        )
        facts = _facts(orphans, deal)
        await self.alarm.raised(
            session, about(deal, "tx.final_reorged", Severity.CRITICAL, text=text, fields=facts)
        )

    async def _hold(self, session: Session, deal: DealRecord) -> None:
        stopped, changes = held(deal, HoldReason.REORG, None)
        row = {"status": str(stopped.status), "hold_reason": str(stopped.hold_reason)}
        await self.deals.change(session, deal, row)
        await self.audit.record(session, *[act_of(deal, one, block=None) for one in changes])


def _by_deal(orphans: Sequence[Orphan]) -> Iterator[tuple[DealId, list[Orphan]]]:
    """The orphans of each deal; always in the same order, so that nobody deadlocks."""
    key = attrgetter("deal_id")
    for deal_id, of_deal in groupby(sorted(orphans, key=key), key):
        yield deal_id, list(of_deal)


def _no_ops(orphans: Sequence[Orphan], deal: DealRecord) -> list[TxHash]:
    legs = {leg.leg_id for leg in deal.legs}
    hashes = [orphan.tx_hash for orphan in orphans if orphan.leg_id not in legs]
    return [tx_hash for tx_hash in hashes if tx_hash is not None]


def _facts(orphans: Sequence[Orphan], deal: DealRecord) -> dict[str, JsonValue]:
    labels = {leg.leg_id: leg.label for leg in deal.legs}
    return {
        "legs": [labels.get(orphan.leg_id, "no-op") for orphan in orphans],
        "transactions": [orphan.tx_hash for orphan in orphans],
        "blocks": sorted({orphan.block.number for orphan in orphans}),
    }


def _act(deal: DealRecord, action: str, detail: dict[str, JsonValue]) -> Act:
    return Act(deal.deal_id, deal.bank, deal.chain_id, "chain", action, "deal", detail)
