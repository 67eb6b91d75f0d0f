"""Which legs a move has at the observed position, and which of them share a block.

All legs of a move go out together. That is allowed because every subset of them that reverts
leaves I2-I6 true; where it would not, the move ends and the next one is a barrier: cash leaves for
the treasury only in a move after the debt is seen to be gone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, assert_never

from holdfast.chain.multicall import Reverted
from holdfast.common.money import BPS, WAD, mul_div
from holdfast.execution.errors import MoveRefused
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
from holdfast.execution.sales import Bound, sellable_wei
from holdfast.model.deal import Step
from holdfast.model.leg import LegKind
from holdfast.protocols.uniswap_v3.swaps import ExactInput, ExactOutput

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.chain.multicall import Read
    from holdfast.chain.node import Node
    from holdfast.common.money import TokenAmount
    from holdfast.execution.calls import DealCalls
    from holdfast.execution.observation import Seen
    from holdfast.execution.records import DealRecord
    from holdfast.model.leg import Leg
    from holdfast.protocols.uniswap_v3.swaps import Quote

DEADLINE_SECONDS: Final = 300
"""How long a swap may wait to be mined: 25 blocks of 12 s, long before a quote is worthless."""

REPAY_ROOM_BPS: Final = 1
"""Interest that may accrue between look and block: 0.01 % is 53 minutes at 10 % a year."""

ALONE: Final = frozenset({LegKind.REVOKE, LegKind.WITHDRAW, LegKind.UNWRAP, LegKind.RETURN_TOKEN})
"""The kinds of legs that no other leg of their group rests on: none of them keeps the others."""

FEE_ROOM_BPS: Final = 25
"""The room when repaying failed for want of cash: Tether may keep up to 0.19 % of a transfer.

Source: TetherToken.setParams refuses 20 basis points and more.
"""


@dataclass(frozen=True, slots=True)
class Task:
    """One move of one deal at one observed block."""

    deal: DealRecord
    seen: Seen
    calls: DealCalls

    @property
    def deadline(self) -> int:
        """The chain time in seconds by which a swap must be mined."""
        return self.seen.head.ref.timestamp + DEADLINE_SECONDS


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
            return await _repay_part(node, task, units)
        case Convert(units):
            return await _raise(node, task, units, Step.LIQUIDITY)
        case Repay(sells):
            return await _repay(node, task) if sells else _pay(task, Step.CLOSE, position.cash)
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
    quotes = await _quotes(node, task, reads)
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


async def _repay(node: Node, task: Task) -> list[Leg]:
    calls, position = task.calls, task.seen.position
    if position.debt == 0:
        return [calls.withdraw_all(position.collateral)]
    share = FEE_ROOM_BPS if _failed(task, LegKind.REPAY) else REPAY_ROOM_BPS
    room = mul_div(position.debt, share, BPS, round_up=True) + 1
    needed = position.debt + room
    raised = await _lacking(node, task, needed, Step.CLOSE)
    pool, cash = calls.protocols.aave.address, calls.tokens.cash
    unlock = [calls.withdraw_all(position.collateral)] if position.collateral else []
    return [
        *raised,
        calls.approve(Step.CLOSE, cash, pool, needed),
        calls.repay_all(position.debt),
        calls.revoke(Step.CLOSE, cash, pool),
        *unlock,
    ]


def _failed(task: Task, kind: LegKind) -> bool:
    """Whether a leg of this kind is what was refused or reverted last."""
    return task.deal.trouble is not None and task.deal.trouble.kind is kind


async def _repay_part(node: Node, task: Task, units: int) -> list[Leg]:
    """Pay `units` of the debt; the collateral stays where it is."""
    share = FEE_ROOM_BPS if _failed(task, LegKind.REPAY) else 0
    needed = units + mul_div(units, share, BPS, round_up=True)
    raised = await _lacking(node, task, needed, Step.LIQUIDITY)
    return [*raised, *_pay(task, Step.LIQUIDITY, units, allowed=needed)]


def _pay(task: Task, step: Step, units: int, *, allowed: int | None = None) -> list[Leg]:
    """Let the venue take `allowed`, pay `units` of the debt, and take back what is left."""
    calls = task.calls
    pool, cash = calls.protocols.aave.address, calls.tokens.cash
    return [
        calls.approve(step, cash, pool, units if allowed is None else allowed),
        calls.repay(step, units),
        calls.revoke(step, cash, pool),
    ]


async def _lacking(node: Node, task: Task, needed: int, step: Step) -> list[Leg]:
    """Raise what cash lacks for `needed`, if anything."""
    short = needed - task.seen.position.cash
    return await _raise(node, task, short, step) if short > 0 else []


async def _raise(node: Node, task: Task, short: int, step: Step) -> list[Leg]:
    """Sell as much of the reserve's ether as brings `short` units of cash."""
    calls, position = task.calls, task.seen.position
    parts = calls.protocols
    reads = [parts.quoter.exact_output(parts.sell_eth, short, allow_failure=True)]
    (quote,) = await _quotes(node, task, reads)
    most = _bound(task).most_wei(short)
    if quote.amount > most:
        raise MoveRefused(
            LegKind.SWAP,
            f"the pool asks {quote.amount} wei for {short} units, the oracle's bound is {most}",
            code="leg.price_bound",
        )
    held = sellable_wei(task.deal, position)
    max_in = min(most, held)
    if quote.amount > max_in:
        raise MoveRefused(
            LegKind.SWAP,
            f"the reserve holds {held} wei of ether, {quote.amount} are needed",
            code="reserve.short",
        )
    missing = max_in - position.weth
    wrap = [calls.wrap(step, missing)] if missing > 0 else []
    weth, router = calls.tokens.weth, parts.router.address
    swap = ExactOutput(parts.sell_eth, short, max_in, calls.owner, task.deadline)
    return [
        *wrap,
        calls.approve(step, weth, router, max_in),
        calls.raise_cash(step, swap),
        calls.revoke(step, weth, router),
    ]


def _bound(task: Task) -> Bound:
    """The oracle's prices and the envelope's exit slippage."""
    seen, cash = task.seen, task.calls.tokens.cash
    slippage = task.deal.plan.envelope.exit_slippage
    return Bound(seen.eth_price, seen.cash_price, cash.decimals, slippage)


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


async def _quotes(node: Node, task: Task, reads: Sequence[Read[Quote]]) -> list[Quote]:
    answers = await node.read(reads, task.seen.head.ref)
    for answer in answers:
        if isinstance(answer, Reverted):
            raise MoveRefused(LegKind.SWAP, f"the pool cannot fill it: {answer.reason}")
    return answers


def _less(units: int, bps: int) -> int:
    return units * (BPS - bps) // BPS
