"""The book: every open deal at one block, for the monitor and for stress.

What is recorded is read first and the chain after it, so the chain is never older than the records.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from holdfast.chain.bundles import bundle
from holdfast.chain.multicall import eth_balance
from holdfast.common.money import Usd8
from holdfast.execution.book_rows import Sight, rows_of
from holdfast.execution.observation import CoreSeen
from holdfast.model.deal import DealStatus
from holdfast.protocols.aave_v3.pool import scaled_balance

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.chain.bundles import Bundle
    from holdfast.chain.multicall import Read
    from holdfast.chain.node import Node
    from holdfast.chain.receipts import Head
    from holdfast.common.evm import Address, BlockRef
    from holdfast.common.ids import DealId
    from holdfast.execution.book_rows import BookRow
    from holdfast.execution.market import Market
    from holdfast.execution.observer import ChainObserver
    from holdfast.execution.open_deals import OpenDeal, OpenDeals, Unreadable
    from holdfast.risk.limits import RiskLimits
    from holdfast.risk.scenarios import Exposed

_READ_GAS: Final = 40_000
"""Of one balance or allowance; what the desk is asked walks the account's requests."""


@dataclass(frozen=True, slots=True)
class Book:
    """All open deals of one chain at `head`, in the order of their numbers."""

    head: Head
    market: Market
    rows: tuple[BookRow, ...]
    unreadable: tuple[Unreadable, ...] = ()

    @property
    def booked_core(self) -> dict[Address, int]:
        """The wei that its deals have booked on each core address.

        An approved deal has booked none yet: the ledger lets it start only where core carries it
        too, and where two wait for the ether of one, nothing is missing. A deal that cannot be read
        does not say on which address, and so counts on each.
        """
        booked: dict[Address, int] = {}
        for row in self.rows:
            plan = row.deal.plan
            core, is_waiting = plan.accounts.core, row.deal.status is DealStatus.APPROVED
            units = 0 if is_waiting else plan.terms.split.core.units
            booked[core] = booked.get(core, 0) + units
        unknown = sum(one.booking.core_wei for one in self.unreadable)
        return {core: wei + unknown for core, wei in booked.items()}

    @property
    def at(self) -> BlockRef:
        """The block that everything was read at."""
        return self.head.ref

    def exposed(self) -> tuple[tuple[DealId, Exposed], ...]:
        """Each deal as stress sees it."""
        return tuple((row.deal.deal_id, row.exposed) for row in self.rows)


class BookReader:
    """Reads the book through one node; keeps what does not change between two readings."""

    def __init__(
        self, deals: OpenDeals, node: Node, observer: ChainObserver, limits: RiskLimits
    ) -> None:
        self._deals = deals
        self._node = node
        self._observer = observer
        self._protocols = observer.protocols
        self._limits = limits
        self._bundles: dict[Address, Bundle] = {}
        self._newest: Book | None = None

    @property
    def newest(self) -> Book | None:
        """What was read last; None before the first."""
        return self._newest

    async def read(self) -> Book:
        """The book at the newest block, with whatever deals cannot be read named in it.

        Raises:
            Transient: when the database or the chain does not answer.
        """
        recorded = await self._deals.read()
        look = await self.look(recorded.deals)
        rows = await self._as_recorded_still(look.rows)
        self._newest = replace(look, rows=rows, unreadable=recorded.unreadable)
        return self._newest

    async def _as_recorded_still(self, rows: tuple[BookRow, ...]) -> tuple[BookRow, ...]:
        """Nothing is missing where legs were recorded, and mined, since the records were read."""
        if not any(row.missing for row in rows):
            return rows
        now = await self._deals.versions()
        return tuple(
            replace(row, missing=0)
            if row.missing and now.get(row.deal.deal_number) != row.deal.version
            else row
            for row in rows
        )

    async def look(self, deals: Sequence[OpenDeal]) -> Book:
        """The same of some `deals` alone."""
        head = await self._node.head()
        market = await self._observer.market(head)
        cores = sorted({one.deal.plan.accounts.core for one in deals})
        seen, words = await asyncio.gather(
            self._node.read(self._shared_reads(cores), head.ref),
            self._node.read_bundles([self._bundle(one, market) for one in deals], head.ref),
        )
        sight = Sight(
            head=head,
            market=market,
            cores=_cores(cores, seen),
            limits=self._limits,
        )
        rows = await rows_of(deals, words, sight)
        return Book(head, market, rows)

    def _bundle(self, one: OpenDeal, market: Market) -> Bundle:
        """What is asked of the deal's account, encoded when it is first seen."""
        owner = one.deal.plan.accounts.deal
        known = self._bundles.get(owner)
        if known is None:
            known = self._bundles[owner] = bundle(self._account_reads(owner, market))
        return known

    def _account_reads(self, owner: Address, market: Market) -> list[Read[int]]:
        parts, token = self._protocols, type(self._protocols.usdt)
        multicall = self._node.profile.require_multicall3()
        reads = [
            eth_balance(multicall, owner),
            parts.weth_token.balance_of(owner),
            parts.usdt.balance_of(owner),
            parts.usdtz.balance_of(owner),
            scaled_balance(market.ether.a_token, owner),
            scaled_balance(market.cash.variable_debt_token, owner),
            *(token(of).allowance(owner, to) for of, to in self._observer.allowances()),
        ]
        in_desk = parts.desk.pending(owner), parts.desk.claimable(owner)
        return [*in_desk, *(replace(read, gas=_READ_GAS) for read in reads)]

    def _shared_reads(self, cores: Sequence[Address]) -> list[Read[Any]]:
        parts, token = self._protocols, type(self._protocols.usdt)
        multicall = self._node.profile.require_multicall3()
        reads: list[Read[Any]] = []
        for core in cores:
            reads += [
                eth_balance(multicall, core),
                parts.aave.account(core),
                *(token(of).allowance(core, to) for of, to in self._observer.allowances()),
            ]
        return reads


def _cores(cores: Sequence[Address], seen: Sequence[Any]) -> dict[Address, CoreSeen]:
    each = len(seen) // len(cores) if cores else 0
    found: dict[Address, CoreSeen] = {}
    for index, core in enumerate(cores):
        wei, account, *allowances = seen[index * each : (index + 1) * each]
        found[core] = CoreSeen(
            balance_wei=wei,
            allowances=sum(1 for left in allowances if left),
            debt=Usd8(account.debt_base),
            collateral=Usd8(account.collateral_base),
        )
    return found
