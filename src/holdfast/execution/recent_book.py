"""The book for a decision about one deal: the last reading, with what changed since read again.

To read thousands of deals costs a second of two machines; a start or a plan needs all of them. So
it takes the last reading of this process, such as the monitor's, and reads only the deals whose
rows changed since: those that joined, moved on or left are in it as they are now. A deal whose row
stands still holds what it held, but for some seconds of interest.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from holdfast.common.money import BPS, mul_div
from holdfast.risk.formulas import RAY_PER_BPS
from holdfast.transactions.model import Place

if TYPE_CHECKING:
    from holdfast.common.evm import BlockRef
    from holdfast.execution.book import Book, BookReader
    from holdfast.execution.observer import ChainObserver
    from holdfast.execution.open_deals import OpenDeals
    from holdfast.risk.limits import RiskLimits

RECENT_SECONDS: Final = 15
"""By the chain's clock: three ticks of the monitor. Interest of 80 % a year adds 4e-7 meanwhile."""


class RecentBook:
    """Books of at most `RECENT_SECONDS`, from what `reader` read last."""

    def __init__(
        self, reader: BookReader, deals: OpenDeals, observer: ChainObserver, limits: RiskLimits
    ) -> None:
        self._reader = reader
        self._deals = deals
        self._observer = observer
        self._limits = limits
        self._read_at: BlockRef | None = None
        self._book: Book | None = None
        self._lock = asyncio.Lock()
        self._begun = self._done = 0  # the numbers of the last look that began, and that succeeded

    async def read(self) -> Book:
        """Every deal that is open now, and none else; a row tells which block it was read at.

        Raises:
            Transient: when the database or the chain does not answer.
        """
        begun = self._begun
        async with self._lock:
            if self._book is not None and self._done > begun:
                return self._book  # by a look that began after we asked
            self._begun += 1
            self._take_newer(self._reader.newest)
            self._book = await self._topped_up() or await self._anew()
            self._done = self._begun
            return self._book

    async def _anew(self) -> Book:
        book = await self._reader.read()
        self._read_at = book.at
        return book

    def _take_newer(self, other: Book | None) -> None:
        """Go on from what another one, such as the monitor, read since."""
        if other is None:
            return
        if self._read_at is None or other.at.number > self._read_at.number:
            self._read_at, self._book = other.at, other

    async def _topped_up(self) -> Book | None:
        """The last book with what changed since; None when it says nothing of now."""
        book, read_at = self._book, self._read_at
        if book is None or read_at is None:
            return None
        known = {row.deal.deal_number: row for row in book.rows}
        versions = await self._deals.versions()
        changed = {
            number: version
            for number, version in versions.items()
            if number not in known or known[number].deal.version != version
        }
        found = await self._deals.at_least(changed)
        look = await self._reader.look(tuple(found.values()))
        age = look.at.timestamp - read_at.timestamp
        if age > RECENT_SECONDS or self._value(book) != self._value(look):
            return None
        if not await self._holds(book.at, look.at):
            return None
        known |= {row.deal.deal_number: row for row in look.rows}
        return replace(look, rows=tuple(known[number] for number in sorted(versions)))

    def _value(self, book: Book) -> tuple[int, ...]:
        """What the dollars and the stress of a deal that does not move depend on."""
        market, limits = book.market, self._limits
        rate = mul_div(market.cash.variable_borrow_rate, limits.stress_apr_multiple, BPS)
        return (
            market.eth_price,
            market.cash_price,
            market.ether.configuration.liquidation_threshold,
            max(limits.stress_apr * RAY_PER_BPS, rate),
        )

    async def _holds(self, block: BlockRef, now: BlockRef) -> bool:
        """Whether the chain that `now` is on still has `block`, and so all before it."""
        if now.number <= block.number:
            return now.hash == block.hash
        return await self._observer.holds(Place(block.number, block.hash))
