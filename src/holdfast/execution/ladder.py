"""How much is redeemed next: the rungs of the ladder, and what the desk can pay; pure."""

from holdfast.common.money import TokenAmount
from holdfast.execution.model import DealState, Position, Venues
from holdfast.model.leg import LegKind

LAST_RUNG_PERCENT = 105
"""The last rung may stretch by the largest slippage a plan may ask for, 5 %."""


def can_redeem(state: DealState, position: Position, venues: Venues) -> bool:
    """Whether the desk is open and can pay what would be asked of it next.

    A fee that makes redeeming a loss is as good as a freeze; what was asked before it keeps its
    price and is claimed.
    """
    asked = position.queued + position.claimable
    if venues.redeems_at_a_loss and not asked:
        return False
    if venues.redemption_frozen or venues.desk_cash < asked:
        return False
    return bool(asked) or payable(state, position, venues) > 0


def payable(state: DealState, position: Position, venues: Venues) -> int:
    """The next tranche, or as much of it as the desk can pay; 0 under the smallest rung."""
    wanted = next_tranche(state, position.tokens).units
    smallest = min(wanted, state.terms.tranches[0].units)
    most = min(wanted, venues.desk_cash)
    return most if most >= smallest else 0


def next_tranche(state: DealState, held: int) -> TokenAmount:
    """The next rung of the ladder: each rung is open only when the one before paid cash.

    The last rung takes all that is left when the purchase gave a little more than was quoted; so
    does the only rung of a lot.
    """
    terms, ladder = state.terms, state.terms.tranches
    passed = state.landed.get(LegKind.CLAIM_REDEMPTION, 0)
    proved = min(max(0, state.purchases - 1) if terms.lots else passed, len(ladder) - 1)
    rung, is_last = ladder[proved], proved == len(ladder) - 1
    most = rung.units * LAST_RUNG_PERCENT // 100 if is_last or terms.lots else rung.units
    return TokenAmount(rung.token, min(most, held))
