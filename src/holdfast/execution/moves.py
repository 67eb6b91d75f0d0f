"""Which legs a move has at the observed position, and which of them share a block.

All legs of a move go out together. That is allowed because every subset of them that reverts
leaves I2-I6 true; where it would not, the move ends and the next one is a barrier: cash leaves for
the treasury only in a move after the debt is seen to be gone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, assert_never

from holdfast.common.money import BPS, WAD, mul_div
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
)
from holdfast.execution.raising import quotes_of, raise_cash
from holdfast.execution.repaying import pay, repay_all, repay_part
from holdfast.model.deal import Step
from holdfast.model.leg import LegKind
from holdfast.protocols.uniswap_v3.swaps import ExactInput

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.chain.node import Node
    from holdfast.common.money import TokenAmount
    from holdfast.execution.task import Task
    from holdfast.model.leg import Leg
    from holdfast.protocols.uniswap_v3.swaps import Quote

ALONE: Final = frozenset({LegKind.REVOKE, LegKind.WITHDRAW, LegKind.UNWRAP, LegKind.RETURN_TOKEN})
"""The kinds of legs that no other leg of their group rests on: none of them keeps the others."""


async def legs_of(  # noqa: C901, PLR0911, PLR0912 - one arm a move, proved whole by assert_never
    node: Node, task: Task, move: Move
) -> Sequence[Leg]:
    """The legs of `move` in the order they must be mined.

    Raises:
        MoveRefused: when the reserve is too small or a pool cannot fill the swap.
    """
    calls, position = task.calls, task.seen.position
    match move:
        case Fund():
            return [calls.fund(task.deal.plan.terms.split.moved.units)]
        case Open(borrow):
            return _open(task, borrow=borrow)
        case Purchase(sell_bucket):
            return await _purchase(node, task, sell_bucket=sell_bucket)
        case Redeem(units, claim_now):
            return _redeem(task, units, claim_now=claim_now)
        case Claim(units):
            return [calls.claim(units)]
        case RepayPart(units):
            return await repay_part(node, task, units)
        case Convert(units):
            return (await raise_cash(node, task, units, Step.LIQUIDITY)).legs
        case Repay(sells):
            return await repay_all(node, task) if sells else pay(task, Step.CLOSE, position.cash)
        case Revoke(leftovers):
            return [
                calls.revoke(Step.CLOSE, calls.token_at(left.token), left.spender)
                for left in leftovers
            ]
        case GoHome(with_claim):
            return _go_home(task, with_claim=with_claim)
        case ReturnNative(keep):
            return [calls.return_native(position.native - keep)]
        case _:
            assert_never(move)


def _open(task: Task, *, borrow: bool) -> list[Leg]:
    calls, terms = task.calls, task.deal.plan.terms
    legs: list[Leg] = []
    if not task.deal.state().has(LegKind.SUPPLY):
        wanted = terms.split.working.units
        missing = wanted - task.seen.position.weth
        if missing > 0:
            legs.append(calls.wrap(Step.LIQUIDITY, missing))
        pool = calls.protocols.aave.address
        legs.append(calls.approve(Step.LIQUIDITY, calls.tokens.weth, pool, wanted))
        legs.append(calls.supply(wanted))
    if borrow:
        legs.append(calls.borrow(_loan(task)))
    return legs


def _loan(task: Task) -> int:
    """The planned loan, or less where ETH has fallen since: LTV after it is at most the opening's.

    Source: RISK.md I6.
    """
    terms, seen = task.deal.plan.terms, task.seen
    wei = max(terms.split.working.units, seen.position.collateral)
    share = task.deal.plan.envelope.opening_ltv * 10**terms.borrow.token.decimals
    most = mul_div(wei * seen.eth_price, share, WAD * BPS * seen.cash_price)
    return min(terms.borrow.units, most)


async def _purchase(node: Node, task: Task, *, sell_bucket: bool) -> list[Leg]:
    calls, terms = task.calls, task.deal.plan.terms
    slippage = task.deal.plan.envelope.request.slippage
    parts = calls.protocols
    wanted = _next_lot(task).units
    spend = wanted if sell_bucket else min(wanted, task.seen.position.cash)
    reads = [parts.quoter.exact_input(parts.buy_usdtz, spend, allow_failure=True)]
    if sell_bucket:
        sale = terms.bucket_sale.units
        reads.append(parts.quoter.exact_input(parts.sell_eth, sale, allow_failure=True))
    quotes = await quotes_of(node, task, reads)
    legs = _sale(task, quotes[1], slippage) if sell_bucket else []
    planned = mul_div(terms.min_tokens.units, spend, terms.spend.units, round_up=True)
    least = max(planned, _less(quotes[0].amount, slippage))
    swap = ExactInput(parts.buy_usdtz, spend, least, calls.owner, task.deadline)
    router = parts.router.address
    legs.append(calls.approve(Step.PURCHASE, calls.tokens.cash, router, spend))
    legs.append(calls.buy(swap))
    return legs


def _next_lot(task: Task) -> TokenAmount:
    """What the next purchase spends: one lot, or everything."""
    terms, done = task.deal.plan.terms, task.deal.state().purchases
    return terms.lots[done] if terms.lots else terms.spend


def _sale(task: Task, quote: Quote, slippage: int) -> list[Leg]:
    calls, terms = task.calls, task.deal.plan.terms
    router, sale = calls.protocols.router.address, terms.bucket_sale.units
    least = max(terms.bucket_sale_min.units, _less(quote.amount, slippage))
    swap = ExactInput(calls.protocols.sell_eth, sale, least, calls.owner, task.deadline)
    missing = sale - task.seen.position.weth
    wrap = [calls.wrap(Step.PURCHASE, missing)] if missing > 0 else []
    approve = calls.approve(Step.PURCHASE, calls.tokens.weth, router, sale)
    return [*wrap, approve, calls.sell_eth(swap)]


def _redeem(task: Task, units: int, *, claim_now: bool) -> list[Leg]:
    calls = task.calls
    desk = calls.protocols.desk.address
    approve = calls.approve(Step.MONETISATION, calls.tokens.discounted, desk, units)
    legs = [approve, calls.request(units)]
    return [*legs, calls.claim(units)] if claim_now else legs


def _go_home(task: Task, *, with_claim: bool) -> list[Leg]:
    calls, position = task.calls, task.seen.position
    legs: list[Leg] = []
    if position.weth:
        legs.append(calls.unwrap(position.weth))
    if position.cash:
        legs.append(calls.return_token(calls.tokens.cash, position.cash))
    if with_claim:
        legs.append(calls.return_token(calls.tokens.discounted, position.tokens))
    return legs


def _less(units: int, bps: int) -> int:
    return units * (BPS - bps) // BPS
