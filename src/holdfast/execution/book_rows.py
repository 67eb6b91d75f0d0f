"""The rows of the book: what was read of each open deal, in base units and in dollars; pure."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from holdfast.common.money import Usd8, mul_div
from holdfast.execution.breaches import pool_slip, stress_of
from holdfast.execution.market import exposed_to
from holdfast.execution.model import Position
from holdfast.ledger.reconciliation import AtRest
from holdfast.protocols.aave_v3.math import unscaled
from holdfast.risk.scenarios import Exposed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.chain.receipts import Head
    from holdfast.common.evm import Address, BlockRef
    from holdfast.common.money import TokenAmount
    from holdfast.execution.breaches import Exposure
    from holdfast.execution.market import Market
    from holdfast.execution.observation import CoreSeen
    from holdfast.execution.open_deals import OpenDeal
    from holdfast.execution.records import DealRecord
    from holdfast.risk.limits import RiskLimits

_GWEI: Final = 10**9
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
        missing: base units by which the account falls short of the ledger (I9); 0 while legs are
            under way, which the ledger learns of when they are settled.
    """

    deal: DealRecord
    allowances: int
    core: CoreSeen
    exposure: Exposure
    exposed: Exposed
    lots: tuple[TokenAmount, ...] = ()
    missing: int = 0

    @property
    def position(self) -> Position:
        """What the account holds and owes."""
        return self.exposure.position

    @property
    def is_core_gone(self) -> bool:
        """Whether the anchor holds less than this deal alone has booked there."""
        return self.core.balance_wei < self.deal.plan.terms.split.core.units


@dataclass(frozen=True, slots=True)
class Sight:
    """What all rows of one book share."""

    head: Head
    market: Market
    cores: dict[Address, CoreSeen]
    limits: RiskLimits


async def rows_of(
    deals: Sequence[OpenDeal], words: Sequence[Sequence[int]], sight: Sight
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


def _row(one: OpenDeal, position: Position, words: Sequence[int], sight: Sight) -> BookRow:
    decimals = one.deal.plan.terms.spend.token.decimals
    exposure = exposed_to(sight.market, position, decimals)
    return BookRow(
        deal=one.deal,
        allowances=sum(1 for left in words[8:] if left),
        core=sight.cores[one.deal.plan.accounts.core],
        exposure=exposure,
        exposed=_exposed(one, exposure, sight),
        lots=one.lots,
        missing=_missing(one, words, sight.head.ref),
    )


def _missing(one: OpenDeal, words: Sequence[int], at: BlockRef) -> int:
    """What the chain does not show of the ledger; a node may be behind the deal's own block."""
    if one.deal.group_id is not None or at.number < one.deal.last_block:
        return 0
    queued, claimable, native, weth, usdt, usdtz, collateral, debt = words[:8]
    shown = AtRest(native, weth, usdt, usdtz, queued + claimable, collateral, debt)
    return one.at_rest.missing(shown)


def _exposed(one: OpenDeal, exposure: Exposure, sight: Sight) -> Exposed:
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
