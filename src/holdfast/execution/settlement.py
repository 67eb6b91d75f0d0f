"""What the outcome of a group means for the deal's records; pure."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from holdfast.common.evm import Receipt
from holdfast.common.ids import LegId
from holdfast.execution.model import Trouble
from holdfast.execution.records import DealRecord, LegRecord, lowers_risk
from holdfast.model.leg import LegKind, LegStatus
from holdfast.transactions.model import ACCEPTED, FEE_CEILING, IntentOutcome, IntentStatus

_ENDED = {
    IntentStatus.LANDED: LegStatus.LANDED,
    IntentStatus.REVERTED: LegStatus.REVERTED,
    IntentStatus.CANCELLED: LegStatus.CANCELLED,
    IntentStatus.DISPLACED: LegStatus.DISPLACED,
}

_MOST_TIMES = 1_000
"""Far beyond where counting matters, and within its column: a venue may refuse for months."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """The deal after its group ended, and the receipts that ended each leg.

    `settled` is empty when nothing was under way; `unproved` are the legs whose outcome a person
    stated, without the event that would tell what they moved; `no_ops` the receipts of what filled
    gaps for the deal, now or for an earlier group.
    """

    deal: DealRecord
    settled: Mapping[LegId, tuple[LegStatus, Receipt | None]]
    legs: tuple[LegRecord, ...]
    unproved: frozenset[LegId] = frozenset()
    no_ops: tuple[Receipt, ...] = ()

    @property
    def is_displaced(self) -> bool:
        """Whether somebody else used the nonce of a leg."""
        return any(status is LegStatus.DISPLACED for status, _ in self.settled.values())

    @property
    def receipts(self) -> list[tuple[LegRecord, Receipt]]:
        """Each ended leg that was mined, in the order sent."""
        pairs = [(leg, self.settled[leg.leg_id][1]) for leg in self.legs]
        return [(leg, receipt) for leg, receipt in pairs if receipt is not None]


def is_ambiguous(outcomes: Sequence[IntentOutcome]) -> bool:
    """Whether the chain's signals disagree about some leg."""
    return any(outcome.status is IntentStatus.AMBIGUOUS for outcome in outcomes)


def is_priced_out(deal: DealRecord, outcomes: Sequence[IntentOutcome]) -> bool:
    """Whether what is under way waits for cheaper gas and is not what lowers the deal's risk."""
    ids = {outcome.leg_id for outcome in outcomes}
    group = [leg for leg in deal.legs if leg.leg_id in ids]
    return not lowers_risk(deal.status, group) and any(
        outcome.status is IntentStatus.STUCK and outcome.evidence.get("reason") == FEE_CEILING
        for outcome in outcomes
    )


def settle(deal: DealRecord, outcomes: Sequence[IntentOutcome]) -> Settlement:
    """The deal with the legs of its ended group; every outcome must be final."""
    known = {leg.leg_id for leg in deal.legs}
    ended = {o.leg_id: (_ENDED[o.status], o.receipt) for o in outcomes if o.leg_id in known}
    no_ops = tuple(o.receipt for o in outcomes if o.leg_id not in known and o.receipt is not None)
    legs = tuple(_ended(leg, ended) for leg in deal.legs)
    group = tuple(leg for leg in legs if leg.leg_id in ended)
    last = max((leg.block_number or 0 for leg in group), default=0)
    settled = replace(deal, legs=legs, group_id=None, last_block=max(deal.last_block, last))
    unproved = frozenset(o.leg_id for o in outcomes if o.evidence.get("reason") == ACCEPTED)
    judged = _judged(settled, group) if group else settled
    return Settlement(judged, ended, group, unproved, no_ops)


def reopened(deal: DealRecord, gone: Collection[LegId]) -> DealRecord:
    """The deal after a reorg took back what ended those of its legs: they are under way again.

    What failed and does no longer stops counting; a status that was decided meanwhile stays, as
    the saga finds its way from any of them once the legs have ended again.
    """
    taken = [leg for leg in deal.legs if leg.leg_id in gone]
    legs = tuple(_sent_again(leg) if leg in taken else leg for leg in deal.legs)
    failed = {leg.kind for leg in taken if leg.status not in {LegStatus.LANDED, LegStatus.SENT}}
    trouble = deal.trouble
    return replace(
        deal,
        legs=legs,
        group_id=deal.group_id or next((leg.group_id for leg in taken), None),
        last_block=max((leg.block_number or 0 for leg in legs), default=0),
        trouble=_less(trouble) if trouble and trouble.kind in failed else trouble,
    )


def refused(deal: DealRecord, kind: LegKind, text: str) -> DealRecord:
    """The deal after the simulation of a leg failed; nothing was signed."""
    return replace(deal, trouble=_more(deal.trouble, kind), trouble_text=text)


def _ended(leg: LegRecord, ended: Mapping[LegId, tuple[LegStatus, Receipt | None]]) -> LegRecord:
    if leg.leg_id not in ended:
        return leg
    status, receipt = ended[leg.leg_id]
    if receipt is None:
        return replace(leg, status=status)
    return replace(
        leg,
        status=status,
        tx_hash=receipt.tx_hash,
        block_number=receipt.block.number,
        gas_used=receipt.gas_used,
        fee_wei=receipt.fee_wei,
    )


def _sent_again(leg: LegRecord) -> LegRecord:
    return replace(
        leg,
        status=LegStatus.SENT,
        tx_hash=None,
        block_number=None,
        gas_used=None,
        fee_wei=None,
    )


def _judged(deal: DealRecord, group: Sequence[LegRecord]) -> DealRecord:
    """The first leg that did not land is the cause; those after it may have failed for its sake."""
    failed = next((leg for leg in group if leg.status is not LegStatus.LANDED), None)
    if failed is None:
        return replace(deal, trouble=None, trouble_text=None)
    where = "" if failed.block_number is None else f" in block {failed.block_number}"
    text = f"{failed.label}: {failed.status}{where}"
    return replace(deal, trouble=_more(deal.trouble, failed.kind), trouble_text=text)


def _more(before: Trouble | None, kind: LegKind) -> Trouble:
    times = before.times + 1 if before is not None and before.kind is kind else 1
    return Trouble(kind, min(times, _MOST_TIMES))


def _less(before: Trouble) -> Trouble | None:
    return replace(before, times=before.times - 1) if before.times > 1 else None
