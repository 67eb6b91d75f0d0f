"""The open book as stress sees it: what deals owe once they have bought, and where they would sell.

A deal that is approved or under way but has not bought yet counts as its plan has it right after
the purchase: the risk was taken with the approval. So does a ladder that holds one lot and has a
larger one to come.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Protocol

from holdfast.common.errors import Broken
from holdfast.common.money import BPS, WAD, TokenAmount, Usd8, mul_div
from holdfast.model.deal import DealStatus, Funding
from holdfast.risk.book import OpenBook
from holdfast.risk.exit_pool import ExitPool

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.chain.node import Node
    from holdfast.execution.book import Book
    from holdfast.execution.book_rows import BookRow
    from holdfast.execution.market import Market
    from holdfast.model.plan import Terms
    from holdfast.protocols.suite import Protocols
    from holdfast.risk.scenarios import Exposed

_BUYING: Final = {DealStatus.APPROVED, DealStatus.EXECUTING}


class Books(Protocol):
    """Where all open deals are read."""

    async def read(self) -> Book:
        """Each of them; `Transient` when the database or the chain does not answer."""
        ...


@dataclass(frozen=True, slots=True)
class StressBook:
    """Reads the open book of one chain for stress (`planning.ports.OpenDeals`)."""

    reader: Books
    node: Node
    protocols: Protocols

    async def exposed(self) -> Sequence[Exposed]:
        """Each open deal, after its purchase.

        Raises:
            Transient: when the database or the chain does not answer.
            Broken: when a deal cannot be read, by its code: a verdict needs all of them.
        """
        return [one for _, one in _deals(await self._whole())]

    async def read(self) -> OpenBook:
        """The open deals and their exit pool at one block.

        Raises:
            Transient: when the database or the chain does not answer.
            Broken: as `exposed`.
        """
        book = await self._whole()
        pool, route = self.protocols.eth_pool, self.protocols.sell_eth
        slot0, liquidity = await self.node.read([pool.slot0(), pool.liquidity()], book.at)
        cash = TokenAmount(self.node.profile.usdt, slot0.reserve_out(route, liquidity))
        return OpenBook(
            at=book.at,
            eth_price=book.market.eth_price,
            pool=ExitPool(_cash_value(cash, book.market), route.fee),
            deals=_deals(book),
        )

    async def _whole(self) -> Book:
        book = await self.reader.read()
        for one in book.unreadable:
            raise Broken(one.code, f"deal {one.booking.number} cannot be read: {one.why}")
        return book


def after_purchase(row: BookRow, market: Market) -> Exposed:
    """The deal as stress sees it: as it stands, or as planned while it may still buy.

    A ladder counts with the largest lot that it holds or has still to buy. A deal that bought all
    at once, redeemed everything and closes within the next block counts as planned until then.
    """
    lot = _still_to_buy(row)
    if row.deal.status not in _BUYING or lot is None:
        return row.exposed
    planned = _bought(row, lot, market)
    if planned.position.token_cost <= row.exposed.position.token_cost:
        return row.exposed
    return planned


def _still_to_buy(row: BookRow) -> TokenAmount | None:
    """The largest purchase that is still to come."""
    terms = row.deal.plan.terms
    if terms.lots:
        return max(row.lots, key=lambda lot: lot.units, default=None)
    return None if row.position.claim else terms.spend


def _bought(row: BookRow, lot: TokenAmount, market: Market) -> Exposed:
    """The deal as its plan has it right after buying `lot`."""
    terms = row.deal.plan.terms
    collateral = _eth_value(terms.split.working.units, market)
    debt = max(row.exposed.position.debt, _loan(row, collateral, market))
    spend = _cash_value(lot, market)
    if terms.funding is Funding.BORROW:
        spend = min(spend, debt)
    least = _cash_value(terms.bucket_sale_min, market)
    position = replace(
        row.exposed.position,
        collateral=collateral,
        reserve_eth=_eth_value(terms.split.bucket.units - terms.bucket_sale.units, market),
        cash=Usd8(max(0, debt + least - spend)),
        debt=debt,
        token_cost=spend,
        token_market=Usd8(0),
    )
    return replace(
        row.exposed,
        position=position,
        token_par=_par(terms, spend, market),
        paid=Usd8(max(0, _eth_value(terms.bucket_sale.units, market) - least)),
    )


def _loan(row: BookRow, collateral: Usd8, market: Market) -> Usd8:
    """What will be borrowed: as planned, or less where ETH fell and the opening LTV allows less."""
    envelope = row.deal.plan.envelope
    most = mul_div(collateral, envelope.opening_ltv, BPS)
    return Usd8(min(_cash_value(envelope.terms.borrow, market), most))


def _par(terms: Terms, spend: Usd8, market: Market) -> Usd8:
    """What the least tokens for `spend` redeem for."""
    planned = _cash_value(terms.spend, market)
    whole = _cash_value(terms.min_tokens, market)
    return Usd8(mul_div(whole, spend, planned)) if planned else Usd8(0)


def _deals(book: Book) -> list[tuple[str, Exposed]]:
    return [(str(row.deal.deal_id), after_purchase(row, book.market)) for row in book.rows]


def _eth_value(wei: int, market: Market) -> Usd8:
    return Usd8(mul_div(wei, market.eth_price, WAD))


def _cash_value(amount: TokenAmount, market: Market) -> Usd8:
    """At the debt currency's price; a discounted token at par is worth as much of it."""
    return Usd8(mul_div(amount.units, market.cash_price, 10**amount.token.decimals))
