"""The last look before an approved deal starts: a fresh stress run, with every other open deal.

Approval was given on verdicts. Prices and other deals have moved since; that alone voids nothing.
It is void when the deal is no longer whole in a scenario in which it was approved as whole, or when
starting it would break the limit of the whole book.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from holdfast.model.deal import DealStatus
from holdfast.risk.book import stressed_book
from holdfast.risk.scenarios import STANDARD, THEOREM, outcome

if TYPE_CHECKING:
    from holdfast.execution.observation import Seen
    from holdfast.execution.ports import BookSource, Observer
    from holdfast.execution.records import DealRecord
    from holdfast.model.plan import Envelope
    from holdfast.risk.book import OpenBook
    from holdfast.risk.limits import RiskLimits
    from holdfast.risk.scenarios import Exposed
    from holdfast.transactions.model import Place

_ALL: Final = {shock.name: shock for shock in STANDARD}


@dataclass(frozen=True, slots=True)
class StartCheck:
    """An `Observer` that stresses the open book before a deal starts, and never else.

    `books` reads all of it anew, `recent` what changed since the last reading: good enough to
    start a deal by, but no approval is void by it.
    """

    observer: Observer
    books: BookSource
    recent: BookSource
    limits: RiskLimits

    async def observe(self, deal: DealRecord) -> Seen:
        """What the inner observer sees, with the stress run's reasons against starting.

        Raises:
            Transient: when the chain or the database does not answer.
        """
        seen = await self.observer.observe(deal)
        if deal.status is not DealStatus.APPROVED or seen.venues.drift:
            return seen
        drift = await self._drift(deal, self.recent)
        if drift:
            drift = await self._drift(deal, self.books)
        return replace(seen, venues=replace(seen.venues, drift=drift)) if drift else seen

    async def _drift(self, deal: DealRecord, books: BookSource) -> tuple[str, ...]:
        book = await books.read()
        return await asyncio.to_thread(stress_drift, deal, book, self.limits)

    async def has_lost(self, place: Place, followed: int) -> bool:
        """See the port; `Transient` when the chain does not answer."""
        return await self.observer.has_lost(place, followed)


def stress_drift(deal: DealRecord, book: OpenBook, limits: RiskLimits) -> tuple[str, ...]:
    """Why the approval is void by stress; pure.

    `plan.stress` when a verdict of the deal has turned, `plan.book` when the least debt cover of
    the open book, this deal in it, is under the limit with the token at 0 and ETH halved.
    """
    mine = [one for name, one in book.deals if name == str(deal.deal_id)]
    if not mine:  # it is open no more; whoever changed it has moved its version on
        return ()
    (end,) = stressed_book([THEOREM], book.alone(), book.pool)
    found = {
        "plan.stress": _has_turned(deal.plan.envelope, mine[0]),
        "plan.book": end.lowest_cover_wad < limits.min_cover_wad,
    }
    return tuple(code for code, is_so in found.items() if is_so)


def _has_turned(envelope: Envelope, exposed: Exposed) -> bool:
    approved = [one.scenario for one in envelope.scenarios if one.principal_whole]
    shocks = [_ALL[name] for name in approved if name in _ALL]
    return any(not outcome(shock, exposed).principal_whole for shock in shocks)
