"""The way home: which move comes next, and none waits for one that something keeps back; pure."""

from dataclasses import dataclass
from typing import Final

from holdfast.execution.model import (
    DealState,
    GoHome,
    Position,
    Repay,
    ReturnNative,
    Revoke,
    Send,
    Venues,
)
from holdfast.model.leg import LegKind

_SMALL_SHARE: Final = 100
"""A hundredth of the debt is the least that is paid alone: less is hardly worth its gas."""


def homeward(
    state: DealState, position: Position, venues: Venues, *, keep: int, with_claim: bool
) -> Send | None:
    """The way back in its order: pay the debt, unlock, unwrap and return, then the native token.

    Repaying comes before anything is returned, so that the reserve never leaves while debt is open.
    After that nothing waits for anything (I7): what was refused last is passed over until all else
    is home, the native token too but for what the rest needs for gas.
    """
    if position.debt:
        revokes = position.leftovers and not fails(state, LegKind.REVOKE)
        return Send(Revoke(position.leftovers) if revokes else _repaying(state, position))
    due = _due(position, with_claim=with_claim)
    refused = [n for n, one in enumerate(due) if fails(state, *one.kinds)]
    left = due[refused[0] + 1 :] if refused else due
    if left:
        return Send(left[0].move)
    keep = max(keep, state.terms.gas_reserve.units) if due else keep
    if position.native > keep + venues.transfer_fee_wei:
        return Send(ReturnNative(keep))
    return None


def tried_again(position: Position, *, with_claim: bool) -> Send | None:
    """The first move that was refused and passed over, once all else is home."""
    due = _due(position, with_claim=with_claim)
    return Send(due[0].move) if due else None


def fails(state: DealState, *kinds: LegKind) -> bool:
    """Whether a leg of these kinds is what was refused or reverted last."""
    return state.trouble is not None and state.trouble.kind in kinds


@dataclass(frozen=True, slots=True)
class _Due:
    """A move that is still to be made on the way home; `kinds` are the legs that may refuse it."""

    move: Revoke | Repay | GoHome
    kinds: tuple[LegKind, ...]


def _repaying(state: DealState, position: Position) -> Repay:
    """All of the debt; where ether cannot be sold for what cash lacks, what cash there is (I7)."""
    is_worth_it = position.debt > position.cash >= position.debt // _SMALL_SHARE
    return Repay(sells=not (is_worth_it and fails(state, LegKind.SWAP)))


def _due(position: Position, *, with_claim: bool) -> list[_Due]:
    """What the account still has elsewhere or in tokens, in the order in which it is fetched."""
    due: list[_Due] = []
    if position.leftovers:
        due.append(_Due(Revoke(position.leftovers), (LegKind.REVOKE,)))
    if position.collateral:
        due.append(_Due(Repay(), (LegKind.WITHDRAW,)))
    claim_goes = with_claim and position.tokens > 0
    if position.weth or position.cash or claim_goes:
        kinds = (LegKind.UNWRAP, LegKind.RETURN_TOKEN)
        due.append(_Due(GoHome(with_claim=claim_goes), kinds))
    return due
