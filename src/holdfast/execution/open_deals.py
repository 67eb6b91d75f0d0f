"""The open deals of a chain as they are recorded, kept in memory and read again where they changed.

Everything recorded of a deal changes together with its row's version, its ledger included. So a
look at thousands of open deals costs one narrow query, and full rows only for the few that moved.
"""

from __future__ import annotations

import gc
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from holdfast.common.errors import Broken
from holdfast.common.money import USD8, WAD, TokenAmount, Usd8, mul_div
from holdfast.execution.store.labels import bookings_of
from holdfast.execution.store.legs import purchases_made
from holdfast.ledger import service as ledger
from holdfast.ledger.pnl import Marks, profit_and_loss
from holdfast.ledger.reconciliation import AtRest, at_rest

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from holdfast.common.db import Database, Session
    from holdfast.common.ids import ChainId, DealId
    from holdfast.execution.records import DealRecord
    from holdfast.execution.store.deals import DealStore
    from holdfast.execution.store.labels import Booking
    from holdfast.ledger.model import Balances, TokenBook
    from holdfast.model.plan import Terms

_AT_ONCE: Final = 100
"""Deals loaded before others get their turn: a plan that is read for the first time is checked
against its hash, and a start among thousands would keep the process from its heartbeat."""

_MANY: Final = 1_000
"""Deals of a first look from which on the garbage collector is told that they stay: it would go
through millions of objects again and again while they are loaded, a fifth of the time."""


@dataclass(frozen=True, slots=True)
class Traded:
    """What the ledger says of the tokens not redeemed yet, and of ETH that was sold.

    `tokens` and their `cost` are base units of the token and of the cash paid; `sale_cost` is what
    selling bucket ETH brought less than the plan's price, in dollars.
    """

    tokens: int
    cost: int
    sale_cost: Usd8


@dataclass(frozen=True, slots=True)
class OpenDeal:
    """One open deal, its record without legs.

    `lots` is what each purchase of a ladder that is still to come will spend, `at_rest` what the
    ledger says that the chain must show.
    """

    deal: DealRecord
    traded: Traded
    lots: tuple[TokenAmount, ...] = ()
    at_rest: AtRest = field(default_factory=AtRest)

    def token_cost(self, held: int) -> int:
        """What `held` tokens cost, in base units of the cash, rounded up.

        What is on chain and not booked yet counts at the most that the plan lets a token cost.
        """
        traded, terms = self.traded, self.deal.plan.terms
        if held <= traded.tokens:
            return mul_div(traded.cost, held, traded.tokens, round_up=True) if held else 0
        least = terms.min_tokens.units
        unbooked = held - traded.tokens
        dearest = mul_div(terms.spend.units, unbooked, least, round_up=True) if least else 0
        return traded.cost + dearest


@dataclass(frozen=True, slots=True)
class Unreadable:
    """One open deal whose record cannot be used; `code` and `why` say what is wrong with it."""

    booking: Booking
    code: str
    why: str


@dataclass(frozen=True, slots=True)
class Recorded:
    """The open deals in the order of their numbers, and those that cannot be read."""

    deals: tuple[OpenDeal, ...]
    unreadable: tuple[Unreadable, ...] = ()


class OpenDeals:
    """The open deals of `chain_id`; one instance for one reader, as it keeps what it read."""

    def __init__(
        self, db: Database, deals: DealStore, tokens: TokenBook, chain_id: ChainId
    ) -> None:
        self._db = db
        self._deals = deals
        self._tokens = tokens
        self._chain_id = chain_id
        self._known: dict[int, OpenDeal] = {}
        self._lost: dict[int, Broken] = {}

    async def read(self) -> Recorded:
        """All of them as they are now; one that cannot be read hides none of the others."""
        self._known, self._lost = await self._found(await self.versions())
        deals = tuple(self._known[number] for number in sorted(self._known))
        return Recorded(deals, await self._named(self._lost))

    async def versions(self) -> dict[int, int]:
        """The number of each, with the version of its row."""
        async with self._db.begin() as session:
            return await self._deals.open_numbers(session, self._chain_id)

    async def at_least(self, versions: Mapping[int, int]) -> dict[int, OpenDeal]:
        """The deals of these numbers, each as recorded at its version or a later one.

        Raises:
            Broken: when one of them cannot be read: who decides about money needs them all.
        """
        found, lost = await self._found(versions)
        for error in lost.values():
            raise error
        return found

    async def _found(
        self, versions: Mapping[int, int]
    ) -> tuple[dict[int, OpenDeal], dict[int, Broken]]:
        known = self._known
        changed = [
            number
            for number, version in versions.items()
            if number not in known or known[number].deal.version < version
        ]
        stays = not known and len(changed) >= _MANY
        lost: dict[int, Broken] = {}
        for part in self._parts(changed):
            known |= await self._readable(part, lost)
            if stays:
                gc.freeze()
        readable = known.keys() - lost
        return {number: known[number] for number in versions if number in readable}, lost

    def _parts(self, numbers: Sequence[int]) -> list[list[int]]:
        """Many at a time; each that could not be read the last time by itself."""
        sound = [one for one in numbers if one not in self._lost]
        parts = [sound[start : start + _AT_ONCE] for start in range(0, len(sound), _AT_ONCE)]
        return [*parts, *([one] for one in numbers if one in self._lost)]

    async def _readable(self, numbers: list[int], lost: dict[int, Broken]) -> dict[int, OpenDeal]:
        """Those of the deals that can be read; why the others cannot is put into `lost`."""
        try:
            async with self._db.begin() as session:
                return await self._loaded(session, numbers)
        except Broken as error:
            if len(numbers) == 1:
                lost[numbers[0]] = error
                return {}
        found: dict[int, OpenDeal] = {}
        for number in numbers:
            found |= await self._readable([number], lost)
        return found

    async def _named(self, lost: Mapping[int, Broken]) -> tuple[Unreadable, ...]:
        if not lost:
            return ()
        async with self._db.begin() as session:
            bookings = await bookings_of(session, lost)
        return tuple(
            Unreadable(one, lost[one.number].code, lost[one.number].message) for one in bookings
        )

    async def _loaded(self, session: Session, numbers: Collection[int]) -> dict[int, OpenDeal]:
        records = await self._deals.without_legs(session, numbers)
        balances = await ledger.balances_of(session, [one.deal_id for one in records])
        lots = await self._lots(session, records)
        return {
            one.deal_number: OpenDeal(
                one,
                traded(self._tokens, one, balances[one.deal_id]),
                lots[one.deal_id],
                at_rest(self._tokens, balances[one.deal_id]),
            )
            for one in records
        }

    async def _lots(
        self, session: Session, records: Sequence[DealRecord]
    ) -> dict[DealId, tuple[TokenAmount, ...]]:
        """The lots that each deal has not bought yet."""
        ladders = [one.deal_id for one in records if one.plan.terms.lots]
        made = await purchases_made(session, ladders, self._tokens.usdtz.symbol)
        return {one.deal_id: lots_left(one.plan.terms, made.get(one.deal_id, 0)) for one in records}


def lots_left(terms: Terms, made: int | None) -> tuple[TokenAmount, ...]:
    """The lots after the first `made` ones; none where the deal will not buy again."""
    return () if made is None else terms.lots[made:]


def traded(tokens: TokenBook, deal: DealRecord, balances: Balances) -> Traded:
    """What `balances` say, ETH that was sold valued at the price of the deal's plan."""
    nav = deal.plan.terms.split.nav.units
    price = Usd8(mul_div(deal.plan.envelope.request.total_eth_value, WAD, nav)) if nav else Usd8(0)
    marks = Marks(eth=price, claim_value=TokenAmount(tokens.usdt, 0), usdt=Usd8(USD8))
    made = profit_and_loss(tokens, balances, marks)
    return Traded(
        tokens=made.claim.tokens.units,
        cost=made.claim.at_cost.units,
        sale_cost=Usd8(max(0, made.eth_sold.behind)),
    )
