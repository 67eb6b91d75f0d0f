"""Writes one advance: settled legs, ledger entries, reconciliation, steps and the deal's row."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import structlog

from holdfast.common.errors import Rejected
from holdfast.common.money import Token, TokenAmount
from holdfast.execution.errors import CoreShort, Differs, Unexplained
from holdfast.execution.store.legs import record_steps, reopen_legs, settle_legs
from holdfast.ledger import service as ledger
from holdfast.ledger.model import Book
from holdfast.ledger.pnl import Marks, profit_and_loss
from holdfast.ledger.postings import entries_for, no_op_entries
from holdfast.model.deal import TERMINAL, DealEvent, DealStatus
from holdfast.model.leg import Leg, LegStatus

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from holdfast.common.db import Session
    from holdfast.common.evm import BlockRef, TxHash
    from holdfast.common.ids import LegId
    from holdfast.execution.observation import Seen
    from holdfast.execution.prepared import Prepared
    from holdfast.execution.records import DealRecord, LegRecord
    from holdfast.execution.settlement import Settlement
    from holdfast.execution.store.deals import DealStore
    from holdfast.ledger.model import Balances, JournalEntry, TokenBook
    from holdfast.ledger.reconciliation import Line, Reconciliation
    from holdfast.model.deal import Step

_log = structlog.stdlib.get_logger(__name__)

_CLAIM_STATES = frozenset({DealStatus.HOLDING, DealStatus.COMPLETED_WITH_CLAIM})

_MOST_LTV_BPS = 2**31 - 1
"""The most its column holds; debt without collateral has an LTV beyond every number."""


@dataclass(frozen=True, slots=True)
class Bookkeeping:
    """Keeps legs, ledger, steps and the deal's row in step, in the caller's transaction."""

    deals: DealStore
    tokens: TokenBook

    def book(self, deal: DealRecord) -> Book:
        """The deal's ledger."""
        return Book(deal.deal_id, deal.bank, deal.chain_id, deal.plan.accounts, self.tokens)

    async def settle(
        self, session: Session, prepared: Prepared, *, after: DealRecord
    ) -> Balances | None:
        """Book what was mined and compare with the chain; None when nothing happened.

        Where legs follow, the chain must show what is recorded.

        Raises:
            Differs: when it shows anything else while nobody has asked for the deal's own blocks:
                a reorg that is not seen to yet would be booked as a gift or a loss; roll back.
            Unexplained: when legs follow and it shows less; roll back.
            CoreShort: `ledger.core_short` when the core address cannot carry this deal as well.
        """
        settlement, changes, seen = prepared.settlement, prepared.script.changes, prepared.seen
        goes_on = prepared.would_go_on and prepared.doubt is None
        book = self.book(after)
        if any(changed.event is DealEvent.START for changed in changes):
            await self._book_core(session, book, after, seen)
        if settlement.settled:
            await settle_legs(session, settlement.settled)
        if not settlement.settled and not changes and not goes_on:
            return None
        settled = await ledger.settle(
            session,
            book,
            self._entries(book, settlement),
            indexes=seen.indexes,
            chain=seen.balances,
            is_claim=after.status in _CLAIM_STATES,
        )
        if not (settled.is_exact or prepared.is_certain):
            raise Differs
        if goes_on and settled.unexplained:
            raise Unexplained([_line(line) for line in settled.unexplained])
        if not settled.reconciliation.is_exact:
            _report_mismatch(settled.reconciliation)
        if after.status in TERMINAL:
            await ledger.release_core(session, book, seen.head.ref)
        return settled.balances

    async def save(
        self,
        session: Session,
        deal: DealRecord,
        seen: Seen,
        *,
        wake_at: datetime | None,
        balances: Balances | None,
        touched: frozenset[Step],
    ) -> None:
        """Write the deal's row and the steps that moved."""
        row: dict[str, Any] = {
            "status": str(deal.status),
            "hold_reason": str(deal.hold_reason) if deal.hold_reason else None,
            "group_id": deal.group_id,
            "borrow_waived": deal.borrow_waived,
            **_trouble_row(deal),
            "current_ltv_bps": min(seen.ltv_bps, _MOST_LTV_BPS),
            "usdtz_exposure": seen.position.claim,
            "last_block": deal.last_block,
            "wake_at": wake_at,
            "waits_for": deal.waits_for,
        }
        if balances is not None:
            row["profit_usd8"] = self._profit(balances, seen)
        await self.deals.change(session, deal, row)
        steps = _step_rows(deal, touched, seen.head.ref)
        if steps:
            await record_steps(session, deal, steps)

    async def reopen(
        self,
        session: Session,
        before: DealRecord,
        after: DealRecord,
        *,
        first: int,
        wake_at: datetime,
        no_ops: Sequence[TxHash] = (),
    ) -> None:
        """Write that legs are under way again whose blocks, `first` the lowest, are gone.

        `no_ops` are those transactions of the deal that were no legs and are gone with them.
        """
        gone = [leg for leg, now in zip(before.legs, after.legs, strict=True) if leg != now]
        hashes = [*no_ops, *(leg.tx_hash for leg in gone if leg.tx_hash is not None)]
        if gone or no_ops:
            await ledger.take_back(session, self.book(before), hashes, first)
        if gone:
            await reopen_legs(session, [leg.leg_id for leg in gone])
            steps = _step_rows(after, frozenset(leg.step for leg in gone), None)
            await record_steps(session, before, steps)
        row = {
            "group_id": after.group_id,
            "last_block": after.last_block,
            **_trouble_row(after),
            "wake_at": wake_at,
        }
        await self.deals.change(session, before, row)

    async def release(self, session: Session, deal: DealRecord, seen: Seen) -> None:
        """Free what the deal has booked on the core address, if anything."""
        await ledger.release_core(session, self.book(deal), seen.head.ref)

    async def _book_core(self, session: Session, book: Book, deal: DealRecord, seen: Seen) -> None:
        core, held = deal.plan.terms.split.core, seen.balances.core
        try:
            await ledger.book_core(session, book, core, held_wei=held, at=seen.head.ref)
        except Rejected as error:
            raise CoreShort(error.code, error.message, **error.fields) from error

    def _entries(self, book: Book, settlement: Settlement) -> list[JournalEntry]:
        legs = [
            entry
            for leg, receipt in settlement.receipts
            for entry in entries_for(
                book, self._leg(leg), _booked_as(leg, settlement.unproved), receipt
            )
        ]
        no_ops = [entry for receipt in settlement.no_ops for entry in no_op_entries(book, receipt)]
        return [*legs, *no_ops]

    def _leg(self, record: LegRecord) -> Leg:
        known = (self.tokens.native, *self.tokens.contracts)
        by_symbol = {token.symbol: token for token in known}
        return Leg(
            leg_id=record.leg_id,
            step=record.step,
            kind=record.kind,
            sender=record.sender,
            call=record.call,
            gas_limit=record.gas_limit,
            label=record.label,
            recipient=record.recipient,
            amount=_amount(by_symbol, record.token, record.amount),
            min_out=_amount(by_symbol, record.min_out_token, record.min_out),
            deadline=record.deadline,
        )

    def _profit(self, balances: Balances, seen: Seen) -> int:
        """In dollars times 1e8; tokens still held count for nothing here."""
        nothing = TokenAmount(self.tokens.usdt, 0)
        marks = Marks(eth=seen.eth_price, claim_value=nothing, usdt=seen.cash_price)
        return profit_and_loss(self.tokens, balances, marks).total


def _trouble_row(deal: DealRecord) -> dict[str, Any]:
    trouble = deal.trouble
    return {
        "trouble_kind": str(trouble.kind) if trouble else None,
        "trouble_times": trouble.times if trouble else 0,
        "trouble_text": deal.trouble_text,
    }


def _booked_as(leg: LegRecord, unproved: frozenset[LegId]) -> LegStatus:
    """How a leg is booked: of one without its event only the gas is known.

    What it moved besides shows as a mismatch in the reconciliation, for the person who stated it.
    """
    return LegStatus.CANCELLED if leg.leg_id in unproved else leg.status


def _amount(
    by_symbol: Mapping[str, Token], symbol: str | None, units: int | None
) -> TokenAmount | None:
    if symbol is None or units is None:
        return None
    return TokenAmount(by_symbol[symbol], units)


def _step_rows(
    deal: DealRecord, touched: frozenset[Step], at: BlockRef | None
) -> list[dict[str, Any]]:
    by_step: defaultdict[Step, list[LegRecord]] = defaultdict(list)
    for leg in deal.legs:
        by_step[leg.step].append(leg)
    return [_step_row(step, by_step[step], deal, at) for step in sorted(touched)]


def _step_row(
    step: Step, legs: Sequence[LegRecord], deal: DealRecord, at: BlockRef | None
) -> dict[str, Any]:
    running = not legs or any(leg.status is LegStatus.SENT for leg in legs)
    failed = not running and legs[-1].status is not LegStatus.LANDED
    status = "running" if running else "failed" if failed else "done"
    done_at = at if status == "done" else None
    return {
        "step": int(step),
        "status": status,
        "result": {
            "legs": len(legs),
            "landed": sum(leg.status is LegStatus.LANDED for leg in legs),
            "last_block": max((leg.block_number or 0 for leg in legs), default=0),
            "gas_used": sum(leg.gas_used or 0 for leg in legs),
        },
        "error": deal.trouble_text if failed else None,
        "executed_at": datetime.fromtimestamp(done_at.timestamp, UTC) if done_at else None,
    }


def _report_mismatch(reconciliation: Reconciliation) -> None:
    _log.error(
        "ledger.mismatch",
        mismatch_wei=reconciliation.mismatch_wei,
        block=reconciliation.at.number,
        lines=[_line(line) for line in reconciliation.mismatches],
    )


def _line(line: Line) -> str:
    return f"{line.account}: ledger {line.ledger}, chain {line.chain}"
