"""The legs that pay debt: all of it, a part, or what the cash in hand allows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from holdfast.common.money import BPS, mul_div
from holdfast.execution.errors import MoveRefused
from holdfast.execution.raising import Raised, raise_cash
from holdfast.model.deal import Step
from holdfast.model.leg import LegKind

if TYPE_CHECKING:
    from holdfast.chain.node import Node
    from holdfast.execution.task import Task
    from holdfast.model.leg import Leg

REPAY_ROOM_BPS: Final = 1
"""Interest that may accrue between look and block: 0.01 % is 53 minutes at 10 % a year."""

SMALL_SHARE: Final = 100
"""A hundredth of the debt is the least that is paid alone: less is hardly worth its gas."""

FEE_ROOM_BPS: Final = 25
"""The room when repaying failed for want of cash: Tether may keep up to 0.19 % of a transfer.

Source: TetherToken.setParams refuses 20 basis points and more.
"""


async def repay_all(node: Node, task: Task) -> list[Leg]:
    """Pay the whole debt and unlock; where the pool takes no more now, pay what there is then."""
    calls, position = task.calls, task.seen.position
    if position.debt == 0:
        return [calls.withdraw_all(position.collateral)]
    share = max(REPAY_ROOM_BPS, _fee_room(task))
    needed = position.debt + mul_div(position.debt, share, BPS, round_up=True) + 1
    raised = await _raised(node, task, needed - position.cash, Step.CLOSE)
    if not raised.is_all:
        return [*raised.legs, *pay(task, Step.CLOSE, position.cash + raised.units)]
    pool, cash = calls.protocols.aave.address, calls.tokens.cash
    unlock = [calls.withdraw_all(position.collateral)] if position.collateral else []
    return [
        *raised.legs,
        calls.approve(Step.CLOSE, cash, pool, needed),
        calls.repay_all(position.debt),
        calls.revoke(Step.CLOSE, cash, pool),
        *unlock,
    ]


async def repay_part(node: Node, task: Task, units: int) -> list[Leg]:
    """Pay `units` of the debt, or what there is then; the collateral stays where it is."""
    cash = task.seen.position.cash
    needed = units + mul_div(units, _fee_room(task), BPS, round_up=True)
    raised = await _raised(node, task, needed - cash, Step.LIQUIDITY)
    if not raised.is_all:
        return [*raised.legs, *pay(task, Step.LIQUIDITY, cash + raised.units)]
    return [*raised.legs, *_payment(task, Step.LIQUIDITY, units, allowed=needed)]


async def _raised(node: Node, task: Task, wanted: int, step: Step) -> Raised:
    """What selling brings now; nothing where it may not be sold and there is cash to pay with.

    Raises:
        MoveRefused: nothing can be sold, and the cash is hardly worth its gas.
    """
    position = task.seen.position
    try:
        return await raise_cash(node, task, wanted, step)
    except MoveRefused:
        if position.cash < max(1, position.debt // SMALL_SHARE):
            raise
        return Raised([], 0, is_all=False)


def pay(task: Task, step: Step, cash: int) -> list[Leg]:
    """Pay as much of the debt as `cash` allows, in base units."""
    return _payment(task, step, mul_div(cash, BPS, BPS + _fee_room(task)), allowed=cash)


def _fee_room(task: Task) -> int:
    """What the token may keep of a transfer, in bps, where that may be why repaying failed."""
    return FEE_ROOM_BPS if task.failed(LegKind.REPAY) else 0


def _payment(task: Task, step: Step, units: int, *, allowed: int) -> list[Leg]:
    """Let the venue take `allowed`, pay `units` of the debt, and take back what is left."""
    calls = task.calls
    pool, cash = calls.protocols.aave.address, calls.tokens.cash
    return [
        calls.approve(step, cash, pool, allowed),
        calls.repay(step, units),
        calls.revoke(step, cash, pool),
    ]
