"""The legs that sell ether of the reserve for cash, as much at once as the pool takes well."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from holdfast.chain.multicall import Reverted
from holdfast.execution.errors import MoveRefused
from holdfast.execution.sales import Bound, Offer, SaleTerms, best_offer, parts_of, sellable_wei
from holdfast.model.leg import LegKind
from holdfast.protocols.uniswap_v3.swaps import ExactOutput

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.chain.multicall import Read
    from holdfast.chain.node import Node
    from holdfast.execution.task import Task
    from holdfast.model.deal import Step
    from holdfast.model.leg import Leg
    from holdfast.protocols.uniswap_v3.swaps import Quote


@dataclass(frozen=True, slots=True)
class Raised:
    """The legs of a sale, the cash it brings, and whether that is all that was wanted."""

    legs: list[Leg]
    units: int
    is_all: bool = True


async def raise_cash(node: Node, task: Task, wanted: int, step: Step) -> Raised:
    """Sell ether for `wanted` units of cash, or for the part of it that can be raised now.

    The part is the largest of halves of halves whose price the oracle allows: the rest is sold by a
    later move, when others have sold and bought too.

    Raises:
        MoveRefused: when the pool takes no part at such a price, or the reserve is too small.
    """
    if wanted <= 0:
        return Raised([], 0)
    terms = _terms(task)
    offer = await _offer(node, task, terms, wanted)
    legs = _sale(task, offer.units, terms.most_wei(offer), step)
    return Raised(legs, offer.units, is_all=offer.units == wanted)


async def quotes_of(node: Node, task: Task, reads: Sequence[Read[Quote]]) -> list[Quote]:
    """The answers to `reads`; `MoveRefused` when the pool cannot fill one of them."""
    answers = await node.read(reads, task.seen.head.ref)
    for answer in answers:
        if isinstance(answer, Reverted):
            raise MoveRefused(LegKind.SWAP, f"the pool cannot fill it: {answer.reason}")
    return answers


async def _offer(node: Node, task: Task, terms: SaleTerms, wanted: int) -> Offer:
    whole = await _offers(node, task, [wanted])
    offer = best_offer(whole, terms)
    if offer is None:
        parts = parts_of(wanted, terms.deepest.always_fetched(terms.held_wei))
        offer = best_offer(await _offers(node, task, parts), terms)
    if offer is None:
        raise _refusal(whole, terms, wanted)
    return offer


def _refusal(whole: Sequence[Offer], terms: SaleTerms, wanted: int) -> MoveRefused:
    if not whole:
        text = f"the pool cannot fill {wanted} units, nor a part of it"
        return MoveRefused(LegKind.SWAP, text)
    asked, most = whole[0].wei, terms.deepest.most_wei(wanted)
    if asked <= most:
        return MoveRefused(
            LegKind.SWAP,
            f"the reserve holds {terms.held_wei} wei of ether, {asked} are needed",
            code="reserve.short",
        )
    return MoveRefused(
        LegKind.SWAP,
        f"the pool asks {asked} wei for {wanted} units, the oracle's bound is {most}; nor does it "
        "take a part at such a price",
        code="leg.price_bound",
    )


async def _offers(node: Node, task: Task, sizes: Sequence[int]) -> list[Offer]:
    """What the pool asks for each of `sizes`, without those that it cannot fill."""
    parts = task.calls.protocols
    reads = [parts.quoter.exact_output(parts.sell_eth, one, allow_failure=True) for one in sizes]
    answers = await node.read(reads, task.seen.head.ref)
    return [
        Offer(units, answer.amount)
        for units, answer in zip(sizes, answers, strict=True)
        if not isinstance(answer, Reverted)
    ]


def _sale(task: Task, units: int, max_in: int, step: Step) -> list[Leg]:
    calls = task.calls
    missing = max_in - task.seen.position.weth
    wrap = [calls.wrap(step, missing)] if missing > 0 else []
    weth, router = calls.tokens.weth, calls.protocols.router.address
    swap = ExactOutput(calls.protocols.sell_eth, units, max_in, calls.owner, task.deadline)
    return [
        *wrap,
        calls.approve(step, weth, router, max_in),
        calls.raise_cash(step, swap),
        calls.revoke(step, weth, router),
    ]


def _terms(task: Task) -> SaleTerms:
    """By the oracle's prices: the envelope's exit slippage, in an emergency its deepest."""
    seen, decimals = task.seen, task.calls.tokens.cash.decimals
    envelope = task.deal.plan.envelope
    ordinary = Bound(seen.eth_price, seen.cash_price, decimals, envelope.exit_slippage)
    is_deep = seen.venues.is_emergency
    return SaleTerms(
        ordinary=ordinary,
        deepest=replace(ordinary, slippage=envelope.deepest_slippage) if is_deep else ordinary,
        held_wei=sellable_wei(task.deal, seen.position),
        room=envelope.request.slippage,
    )
