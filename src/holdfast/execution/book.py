"""The book: every open deal at one block, for the monitor and for stress.

What is recorded is read first and the chain after it, so the chain is never older than the records.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from holdfast.chain.bundles import bundle
from holdfast.chain.multicall import eth_balance
from holdfast.common.money import Usd8, mul_div
from holdfast.execution.breaches import pool_slip, stress_of
from holdfast.execution.market import exposed_to
from holdfast.execution.model import Position
from holdfast.execution.observation import CoreSeen
from holdfast.model.deal import DealStatus
from holdfast.protocols.aave_v3.math import unscaled
from holdfast.protocols.aave_v3.pool import scaled_balance
from holdfast.risk.scenarios import Exposed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.chain.bundles import Bundle
    from holdfast.chain.multicall import Read
    from holdfast.chain.node import Node
    from holdfast.chain.receipts import Head
    from holdfast.common.evm import Address, BlockRef
    from holdfast.common.ids import DealId
    from holdfast.common.money import TokenAmount
    from holdfast.execution.breaches import Exposure
    from holdfast.execution.market import Market
    from holdfast.execution.observer import ChainObserver
    from holdfast.execution.open_deals import OpenDeal, OpenDeals, Unreadable
    from holdfast.execution.records import DealRecord
    from holdfast.risk.limits import RiskLimits

_GWEI: Final = 10**9
_READ_GAS: Final = 40_000
"""Of one balance or allowance; what the desk is asked walks the account's requests."""
_AT_ONCE: Final = 500
"""Rows made before other tasks get their turn: some ten milliseconds."""


@dataclass(frozen=True, slots=True)
class BookRow:
    """One open deal at the book's block.

    Attributes:
        deal: its record and plan, without its legs.
        allowances: how many of its allowances are not back to zero.
        core: the anchor's address, which deals share.
        exposure: what its account holds and owes, in base units, with the prices it is valued at.
            The position's `leftovers` stays empty: `allowances` counts them; `blocks_to_final` is
            not known here.
        exposed: its balance sheet in dollars and the stress on it; `exposed.position.core` is
            what the deal itself has booked there.
        lots: what each purchase of a ladder that is still to come will spend.
    """

    deal: DealRecord
    allowances: int
    core: CoreSeen
    exposure: Exposure
    exposed: Exposed
    lots: tuple[TokenAmount, ...] = ()

    @property
    def position(self) -> Position:
        """What the account holds and owes."""
        return self.exposure.position

    @property
    def is_core_gone(self) -> bool:
        """Whether the anchor holds less than this deal alone has booked there."""
        return self.core.balance_wei < self.deal.plan.terms.split.core.units


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


@dataclass(frozen=True, slots=True)
class _Sight:
    """What all rows of one book share."""

    head: Head
    market: Market
    cores: dict[Address, CoreSeen]
    limits: RiskLimits


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
        self._newest = replace(look, unreadable=recorded.unreadable)
        return self._newest

    async def look(self, deals: Sequence[OpenDeal]) -> Book:
        """The same of some `deals` alone."""
        head = await self._node.head()
        market = await self._observer.market(head)
        cores = sorted({one.deal.plan.accounts.core for one in deals})
        seen, words = await asyncio.gather(
            self._node.read(self._shared_reads(cores), head.ref),
            self._node.read_bundles([self._bundle(one, market) for one in deals], head.ref),
        )
        sight = _Sight(
            head=head,
            market=market,
            cores=_cores(cores, seen),
            limits=self._limits,
        )
        rows = await _rows(deals, words, sight)
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


async def _rows(
    deals: Sequence[OpenDeal], words: Sequence[Sequence[int]], sight: _Sight
) -> tuple[BookRow, ...]:
    """A row for each deal; other tasks of the process get their turn in between."""
    income = sight.market.ether.income_index_at(sight.head.ref.timestamp)
    debt = sight.market.cash.debt_index_at(sight.head.ref.timestamp)
    rows: list[BookRow] = []
    for start in range(0, len(deals), _AT_ONCE):
        for one, found in zip(
            deals[start : start + _AT_ONCE], words[start : start + _AT_ONCE], strict=True
        ):
            rows.append(_row(one, _position(found, sight.head.ref, income, debt), found, sight))
        await asyncio.sleep(0)
    return tuple(rows)


def _position(words: Sequence[int], at: BlockRef, income_ray: int, debt_ray: int) -> Position:
    """Source: AToken.balanceOf and VariableDebtToken.balanceOf, the scaled balance at its index."""
    return Position(
        at=at,
        queued=words[0],
        claimable=words[1],
        native=words[2],
        weth=words[3],
        cash=words[4],
        tokens=words[5],
        collateral=unscaled(words[6], income_ray),
        debt=unscaled(words[7], debt_ray),
    )


def _row(one: OpenDeal, position: Position, words: Sequence[int], sight: _Sight) -> BookRow:
    decimals = one.deal.plan.terms.spend.token.decimals
    exposure = exposed_to(sight.market, position, decimals)
    return BookRow(
        deal=one.deal,
        allowances=sum(1 for left in words[8:] if left),
        core=sight.cores[one.deal.plan.accounts.core],
        exposure=exposure,
        exposed=_exposed(one, exposure, sight),
        lots=one.lots,
    )


def _exposed(one: OpenDeal, exposure: Exposure, sight: _Sight) -> Exposed:
    """The deal in dollars, with the stress that its plan and the rate of the moment ask for."""
    market, limits = sight.market, sight.limits
    envelope = one.deal.plan.envelope
    terms, claim = envelope.terms, exposure.position.claim
    whole_token = 10**terms.min_tokens.token.decimals
    cost = mul_div(
        one.token_cost(claim), market.cash_price, 10**terms.spend.token.decimals, round_up=True
    )
    sheet = exposure.sheet(
        terms.split.core.units,
        token_cost=Usd8(cost),
        token_market=Usd8(mul_div(claim, sight.market.token_price, whole_token)),
    )
    gas = envelope.max_fee.units // max(1, envelope.gas_price_ceiling_wei)
    return Exposed(
        position=sheet,
        stress=stress_of(one.deal, exposure, limits),
        threshold=exposure.threshold,
        token_par=Usd8(mul_div(claim, market.cash_price, whole_token)),
        paid=one.traded.sale_cost,
        gas_per_gwei=exposure.eth_value(gas * _GWEI),
        pool_slip=pool_slip(envelope, limits),
        most_slip=envelope.deepest_slippage,
        most_gas_gwei=envelope.homeward_gas_price_wei // _GWEI,
    )
