"""What the trading state keeps a deal from doing; pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, assert_never

from holdfast.execution.model import (
    Claim,
    Convert,
    Fund,
    GoHome,
    Move,
    Open,
    Purchase,
    Redeem,
    Repay,
    RepayPart,
    ReturnNative,
    Revoke,
    Send,
    Wait,
    WaitFor,
)
from holdfast.execution.records import GOING_HOME
from holdfast.execution.script import Script
from holdfast.model.deal import DealEvent, HoldReason
from holdfast.risk.trading import TradingState

if TYPE_CHECKING:
    from holdfast.execution.model import Venues
    from holdfast.execution.records import DealRecord
    from holdfast.model.deal import DealStatus


def restrained(deal: DealRecord, script: Script, trading: TradingState, venues: Venues) -> Script:
    """`script`, or what is left of it where `trading` does not let it go on.

    `deal` is the deal before the script: one that may not start stays approved, so that its plan
    is looked at afresh when it may.
    """
    if trading is TradingState.ACTIVE:
        return script
    if any(changed.event is DealEvent.START for changed in script.changes):
        return Script(deal, (), Wait(WaitFor.TRADING))
    if not isinstance(script.outcome, Send):
        return script
    is_broken = bool(venues.breaches) or script.deal.hold_reason is HoldReason.INVARIANT
    if permits(trading, script.outcome.move, is_broken=is_broken):
        return script
    return replace(script, outcome=Wait(WaitFor.TRADING))


def permits(trading: TradingState, move: Move, *, is_broken: bool) -> bool:
    """Whether legs of `move` may be recorded; `is_broken` says that an invariant does not hold.

    An allowance that is left over is a broken invariant by itself (I5), and a part of the debt is
    only ever repaid at the cap (I6). A conversion waits: it follows a warning.
    """
    match trading:
        case TradingState.ACTIVE:
            return True
        case TradingState.REDUCING:
            return not adds_risk(move)
        case TradingState.HALTED:
            repays = isinstance(move, RepayPart) or (is_broken and isinstance(move, Repay))
            return repays or isinstance(move, Revoke)


def lowers_risk(status: DealStatus, move: Move) -> bool:
    """Whether `move` brings debt, collateral or cash out of risk: dear gas is no reason to wait.

    All that a deal does once it holds or closes: it redeems then only for want of cash.
    """
    if status in GOING_HOME:
        return True
    return isinstance(move, RepayPart | Convert | Repay | Revoke | GoHome | ReturnNative)


def adds_risk(move: Move) -> bool:
    """Whether `move` brings money to a deal, into a loan, or into the token."""
    match move:
        case Fund() | Open() | Purchase():
            return True
        case RepayPart() | Convert() | Repay() | Revoke():
            return False
        case Redeem() | Claim() | GoHome() | ReturnNative():
            return False
        case _:
            assert_never(move)
