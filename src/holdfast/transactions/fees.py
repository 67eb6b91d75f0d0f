"""What to offer for gas: first quote, exact quote for a sweep, and replacement; pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from holdfast.chain.profiles import FeeModel
from holdfast.common.money import mul_div
from holdfast.signing.model import Fees
from holdfast.transactions.errors import fee_above_ceiling

_REPLACEMENT: Final = (9, 8)
"""+12.5 % on cap and tip: geth and Besu want 10 %, erigon 12.5 %."""

_BASE_FEE_ROOM: Final = 2
"""Twice the base fee still pays five full blocks later (EIP-1559: at most x 9/8 a block)."""


@dataclass(frozen=True, slots=True)
class FeePolicy:
    """How a chain charges, and the most that may be paid for a unit of gas, in wei.

    `cancel_ceiling_wei` is the most for a no-op that frees a nonce, where that is more.
    """

    model: FeeModel
    ceiling_wei: int
    cancel_ceiling_wei: int = 0

    @property
    def of_cancel(self) -> FeePolicy:
        """The policy of such a no-op."""
        return FeePolicy(self.model, max(self.ceiling_wei, self.cancel_ceiling_wei))


def quote(policy: FeePolicy, base_fee_wei: int, tip_wei: int) -> Fees:
    """What a fresh transaction offers, clipped to the ceiling.

    Args:
        policy: the chain's fee model and the ceiling.
        base_fee_wei: of the newest block; 0 on a legacy chain.
        tip_wei: the suggested tip; on a legacy chain the suggested gas price.

    Raises:
        Transient: `tx.fee_ceiling` when the block now costs more than the ceiling.

    Source: EIP-1559; the cap of 2 * base fee + tip is that of geth's transact options.
    """
    if is_too_dear(policy, base_fee_wei):
        raise fee_above_ceiling(base_fee_wei, policy.ceiling_wei)
    return offer(policy, base_fee_wei, tip_wei)


def is_too_dear(policy: FeePolicy, base_fee_wei: int) -> bool:
    """Whether a block costs more than may be paid."""
    return policy.model is not FeeModel.ZERO_GAS and base_fee_wei > policy.ceiling_wei


def offer(policy: FeePolicy, base_fee_wei: int, tip_wei: int) -> Fees:
    """The same, where waiting is no choice: at the ceiling even while blocks cost more."""
    match policy.model:
        case FeeModel.ZERO_GAS:
            return Fees(0, 0, is_legacy=True)
        case FeeModel.LEGACY:
            price = min(base_fee_wei + tip_wei, policy.ceiling_wei)
            return Fees(price, price, is_legacy=True)
        case FeeModel.EIP1559:
            cap = min(_BASE_FEE_ROOM * base_fee_wei + tip_wei, policy.ceiling_wei)
            return Fees(cap, min(tip_wei, cap))


def exact(fees: Fees) -> Fees:
    """The same cap, all of it paid: for a sweep, whose value is the balance less gas * cap.

    With tip = cap the effective price is min(cap, base + tip) = cap in any block that takes it.

    Source: EIP-1559, effective gas price.
    """
    return Fees(fees.cap_wei, fees.cap_wei, is_legacy=fees.is_legacy)


def sweep_fee_wei(fees: Fees, gas_limit: int) -> int:
    """What a plain transfer with `exact` fees costs; `gas_limit` must be what it uses (21,000)."""
    return fees.cap_wei * gas_limit


def replacement(last: Fees, fresh: Fees) -> Fees:
    """What the next attempt at the same nonce offers: a fresh quote, but at least +12.5 % of both.

    It may exceed the ceiling; the caller then waits instead.
    """
    cap = max(_bumped(last.cap_wei), fresh.cap_wei)
    if last.is_legacy:
        return Fees(cap, cap, is_legacy=True)
    return Fees(cap, min(cap, max(_bumped(last.tip_wei), fresh.tip_wei)))


def _bumped(wei: int) -> int:
    # From 0 a percentage leads nowhere, and a node wants more than before.
    return max(wei + 1, mul_div(wei, *_REPLACEMENT, round_up=True))
