"""A deal's request, its states and the one table of their transitions."""

from dataclasses import dataclass
from enum import IntEnum, StrEnum

from holdfast.common.errors import Rejected
from holdfast.common.ids import BankId, ChainId, ModuleId
from holdfast.common.money import Bps, Usd8


class Funding(StrEnum):
    """What pays for the discounted token."""

    BORROW = "borrow"
    BUCKET = "bucket"


class Ladder(StrEnum):
    """What grows step by step: only what is redeemed, or what is bought as well.

    With `POSITION` a small lot is bought, redeemed and paid before the next, larger one is bought,
    so that a freeze costs one lot.
    """

    REDEMPTION = "redemption"
    POSITION = "position"


class Step(IntEnum):
    """The five steps of the loop."""

    SPLIT = 0
    LIQUIDITY = 1
    PURCHASE = 2
    MONETISATION = 3
    CLOSE = 4


class DealStatus(StrEnum):
    """Where a deal stands."""

    DRAFT = "draft"
    PLANNED = "planned"
    AWAITING_APPROVAL = "awaiting_approval"
    APPROVED = "approved"
    EXECUTING = "executing"
    HOLDING = "holding"
    CLOSING = "closing"
    COMPLETED = "completed"
    COMPLETED_WITH_CLAIM = "completed_with_claim"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    FAILED = "failed"


class DealEvent(StrEnum):
    """What may change a deal's status."""

    PLAN = "plan"
    SUBMIT = "submit"
    APPROVE = "approve"
    REJECT = "reject"
    DRIFT = "drift"
    START = "start"
    HOLD = "hold"
    RESUME = "resume"
    CLOSE = "close"
    COMPLETE = "complete"
    COMPLETE_WITH_CLAIM = "complete_with_claim"
    CANCEL = "cancel"
    FAIL = "fail"


class HoldReason(StrEnum):
    """Why a deal went to HOLDING; kept until it leaves."""

    REDEMPTION_FROZEN = "redemption_frozen"
    BORROW_REFUSED = "borrow_refused"
    POOL_DEPTH = "pool_depth"
    LEG_REVERTED = "leg_reverted"
    INVARIANT = "invariant"
    AMBIGUITY = "ambiguity"
    OPERATOR = "operator"
    FOREIGN_USE = "foreign_use"
    REORG = "reorg"
    UNEXPLAINED = "unexplained"


TERMINAL = frozenset(
    {
        DealStatus.COMPLETED,
        DealStatus.COMPLETED_WITH_CLAIM,
        DealStatus.REJECTED,
        DealStatus.CANCELLED,
        DealStatus.FAILED,
    }
)

_BEFORE_EFFECTS = frozenset(
    {
        DealStatus.DRAFT,
        DealStatus.PLANNED,
        DealStatus.AWAITING_APPROVAL,
        DealStatus.APPROVED,
        DealStatus.EXECUTING,
        DealStatus.HOLDING,
    }
)

_TABLE: dict[tuple[DealStatus, DealEvent], DealStatus] = {
    (DealStatus.DRAFT, DealEvent.PLAN): DealStatus.PLANNED,
    (DealStatus.PLANNED, DealEvent.PLAN): DealStatus.PLANNED,
    (DealStatus.PLANNED, DealEvent.SUBMIT): DealStatus.AWAITING_APPROVAL,
    (DealStatus.AWAITING_APPROVAL, DealEvent.APPROVE): DealStatus.APPROVED,
    (DealStatus.AWAITING_APPROVAL, DealEvent.REJECT): DealStatus.REJECTED,
    (DealStatus.AWAITING_APPROVAL, DealEvent.DRIFT): DealStatus.PLANNED,
    (DealStatus.APPROVED, DealEvent.DRIFT): DealStatus.PLANNED,
    (DealStatus.APPROVED, DealEvent.START): DealStatus.EXECUTING,
    (DealStatus.EXECUTING, DealEvent.HOLD): DealStatus.HOLDING,
    (DealStatus.EXECUTING, DealEvent.CLOSE): DealStatus.CLOSING,
    (DealStatus.HOLDING, DealEvent.RESUME): DealStatus.EXECUTING,
    (DealStatus.HOLDING, DealEvent.CLOSE): DealStatus.CLOSING,
    (DealStatus.CLOSING, DealEvent.HOLD): DealStatus.HOLDING,
    (DealStatus.CLOSING, DealEvent.COMPLETE): DealStatus.COMPLETED,
    (DealStatus.CLOSING, DealEvent.COMPLETE_WITH_CLAIM): DealStatus.COMPLETED_WITH_CLAIM,
    (DealStatus.EXECUTING, DealEvent.FAIL): DealStatus.FAILED,
    (DealStatus.HOLDING, DealEvent.FAIL): DealStatus.FAILED,
    (DealStatus.CLOSING, DealEvent.FAIL): DealStatus.FAILED,
}


_ORDERS = (DealEvent.APPROVE, DealEvent.HOLD, DealEvent.RESUME, DealEvent.CLOSE)
"""What a person may order beside a cancellation."""


@dataclass(frozen=True, slots=True)
class ChainFacts:
    """What the chain and the intents say of a deal, as far as transitions depend on it."""

    has_effects: bool = False
    has_debt: bool = False
    has_collateral: bool = False
    has_live_intent: bool = False

    @property
    def is_clean(self) -> bool:
        """Whether nothing is owed, locked or under way."""
        return not (self.has_debt or self.has_collateral or self.has_live_intent)


def transition(status: DealStatus, event: DealEvent, facts: ChainFacts) -> DealStatus:
    """The status that `event` leads to.

    A deal that may not fail yet, because it owes, has collateral locked or an intent under way,
    goes to HOLDING instead.

    Raises:
        Rejected: `deal.transition` when the table has no such change,
            `deal.under_way` when one with a live group would be cancelled, `deal.has_effects` when
            one with effects on chain would be.
    """
    if event is DealEvent.CANCEL:
        return _cancelled(status, facts)
    target = _TABLE.get((status, event))
    if target is None:
        raise Rejected(
            "deal.transition",
            f"a deal that is {status} cannot {event}: {_what_can_be_ordered(status)}",
            status=str(status),
            event=str(event),
        )
    if target is DealStatus.FAILED and not facts.is_clean:
        return DealStatus.HOLDING
    return target


def _what_can_be_ordered(status: DealStatus) -> str:
    if status in TERMINAL:
        return "it is over"
    possible = [event for event in _ORDERS if (status, event) in _TABLE]
    possible += [DealEvent.CANCEL] if status in _BEFORE_EFFECTS else []
    return f"it can {', '.join(possible)}"


def _cancelled(status: DealStatus, facts: ChainFacts) -> DealStatus:
    if status not in _BEFORE_EFFECTS:
        raise Rejected(
            "deal.transition",
            f"a deal that is {status} cannot be cancelled: {_what_can_be_ordered(status)}",
            status=str(status),
        )
    if facts.has_live_intent:
        raise Rejected(
            "deal.under_way",
            "this deal has transactions under way and cannot be cancelled: `deal hold` first, "
            "which gives up what is not mined yet, then `deal close` to bring back what was moved",
        )
    if facts.has_effects:
        raise Rejected(
            "deal.has_effects",
            "this deal has transactions on chain: `deal close` it instead of cancelling",
        )
    return DealStatus.CANCELLED


@dataclass(frozen=True, slots=True)
class SplitBps:
    """The capital split in hundredths of a percent: core, working liquidity, bucket."""

    core: Bps = Bps(5_000)
    working: Bps = Bps(3_000)
    bucket: Bps = Bps(2_000)


@dataclass(frozen=True, slots=True)
class DealRequest:
    """What somebody asks for; `total_eth_value` is the dollar value of the ETH committed."""

    total_eth_value: Usd8
    bank: BankId
    module: ModuleId
    chain_id: ChainId
    funding: Funding = Funding.BORROW
    opening_ltv: Bps = Bps(2_000)
    max_ltv: Bps = Bps(3_000)
    max_exposure: Bps = Bps(2_500)
    slippage: Bps = Bps(100)
    split: SplitBps = SplitBps()
    horizon_days: int = 90
    ladder: Ladder = Ladder.REDEMPTION
