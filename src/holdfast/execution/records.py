"""A deal and its legs as they are recorded; the saga's state is computed from them."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from holdfast.common.evm import Address, TxHash
from holdfast.common.ids import BankId, ChainId, DealId, GroupId, LegId, ModuleId, PrincipalId
from holdfast.common.money import Usd8
from holdfast.execution.model import DealState, Trouble
from holdfast.model.deal import DealStatus, HoldReason, Step
from holdfast.model.leg import Call, Leg, LegKind, LegStatus
from holdfast.model.plan import Plan

OF_CURES = frozenset({LegKind.SWAP, LegKind.REPAY})
"""What no other move of the step that adds liquidity sends."""

GOING_HOME = frozenset({DealStatus.HOLDING, DealStatus.CLOSING})
"""Where a deal sends nothing but what brings it home, or redeems for want of cash to do so."""


@dataclass(frozen=True, slots=True)
class LegRecord:
    """One leg that was sent, and what became of it; the fee is in wei."""

    leg_id: LegId
    group_id: GroupId
    step: Step
    seq: int
    kind: LegKind
    label: str
    status: LegStatus
    sender: Address
    recipient: Address
    call: Call
    token: str | None
    amount: int | None
    min_out_token: str | None
    min_out: int | None
    gas_limit: int
    deadline: int | None
    tx_hash: TxHash | None
    block_number: int | None
    gas_used: int | None
    fee_wei: int | None


@dataclass(frozen=True, slots=True)
class DealRecord:
    """One deal as it is stored, with its plan and its legs.

    `waits_for` is a word of `WaitFor` as it was found: it is shown, and no move is decided by it.
    """

    deal_id: DealId
    chain_id: ChainId
    deal_number: int
    bank: BankId
    module: ModuleId
    author: PrincipalId
    status: DealStatus
    hold_reason: HoldReason | None
    group_id: GroupId | None
    keep_claim: bool
    borrow_waived: bool
    trouble: Trouble | None
    trouble_text: str | None
    total_eth_value: Usd8
    current_ltv_bps: int | None
    exposure: int | None
    profit: Usd8 | None
    last_block: int
    wake_at: datetime | None
    waits_for: str | None
    version: int
    created_at: datetime
    updated_at: datetime
    plan: Plan
    legs: tuple[LegRecord, ...]

    def state(self) -> DealState:
        """What the saga needs to know."""
        landed = [leg for leg in self.legs if leg.status is LegStatus.LANDED]
        swapped = [leg for leg in landed if leg.kind is LegKind.SWAP and leg.step is Step.PURCHASE]
        returned = {leg.token for leg in landed if leg.kind is LegKind.RETURN_TOKEN}
        spend = self.plan.terms.spend.token.symbol
        return DealState(
            status=self.status,
            terms=self.plan.terms,
            hold_reason=self.hold_reason,
            keep_claim=self.keep_claim,
            borrow_waived=self.borrow_waived,
            landed=Counter(leg.kind for leg in landed if not _is_of_a_cure(leg)),
            sold=any(leg.token != spend for leg in swapped),
            purchases=sum(leg.token == spend for leg in swapped),
            cured=is_cure(landed),
            claim_returned=self.plan.terms.min_tokens.token.symbol in returned,
            trouble=self.trouble,
        )


def is_cure(legs: Iterable[Leg | LegRecord]) -> bool:
    """Whether there is a cure among the legs: no other move of its step sells or repays."""
    return any(leg.step is Step.LIQUIDITY and leg.kind in OF_CURES for leg in legs)


def lowers_risk(status: DealStatus, legs: Iterable[Leg | LegRecord]) -> bool:
    """Whether legs of one group bring money out of risk, as `restraint.lowers_risk` of moves."""
    legs = tuple(legs)
    goes_home = all(leg.step is Step.CLOSE for leg in legs)
    return status in GOING_HOME or goes_home or is_cure(legs)


def _is_of_a_cure(leg: LegRecord) -> bool:
    """Whether it repaid a part: only the step that closes brings a deal home."""
    return leg.kind is LegKind.REPAY and leg.step is not Step.CLOSE
