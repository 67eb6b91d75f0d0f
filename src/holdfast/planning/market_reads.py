"""What the second exchange of a market read asks, by name; nothing here talks to the chain."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any, Final, TypeAlias

from holdfast.chain.multicall import Read, eth_balance
from holdfast.chain.receipts import Head
from holdfast.common.evm import Address
from holdfast.common.money import TokenAmount
from holdfast.model.plan import Accounts
from holdfast.planning.snapshot import Gas, Prices, Probe
from holdfast.protocols.aave_v3.pool import scaled_total
from holdfast.protocols.aave_v3.rates import strategy_reads
from holdfast.protocols.aave_v3.reserve import Reserve
from holdfast.protocols.erc20 import Erc20
from holdfast.protocols.price_feed import PriceFeed
from holdfast.protocols.suite import Protocols
from holdfast.protocols.uniswap_v3.pools import Route
from holdfast.risk.price_sources import WINDOWS_SECONDS

Named: TypeAlias = Iterator[tuple[str, Read[Any]]]

ALLOWANCE: Final = "allowance_"
AVERAGE: Final = "sale_average_"
SALE: Final = "sale"
PURCHASE: Final = "purchase"
"""Parts of the names under which answers are found."""


@dataclass(frozen=True, slots=True)
class Basis:
    """What the first exchange found: prices, gas, and the lending reserves' addresses."""

    head: Head
    prices: Prices
    collateral: Reserve
    loan: Reserve
    eth_feed: Address
    cash_feed: Address
    gas: Gas


@dataclass(frozen=True, slots=True)
class Questions:
    """Everything else that a plan needs to know at the same block."""

    venues: Protocols
    multicall3: Address
    accounts: Accounts
    basis: Basis
    probe: Probe

    def reads(self) -> dict[str, Read[Any]]:
        """All reads by name, in the order sent."""
        return dict(
            [
                *self._accounts(),
                *self._lending(),
                *self._exchange(),
                *self._desk(),
            ]
        )

    def _accounts(self) -> Named:
        core = self.accounts.core
        yield "core_wei", eth_balance(self.multicall3, core)
        yield "float_wei", eth_balance(self.multicall3, self.accounts.float)
        yield "core_account", self.venues.aave.account(core)
        for index, (token, spender) in enumerate(product(self._tokens(), self._spenders())):
            yield f"{ALLOWANCE}{index}", token.allowance(core, spender)

    def _tokens(self) -> tuple[Erc20, ...]:
        return (self.venues.weth_token, self.venues.usdt, self.venues.usdtz)

    def _spenders(self) -> tuple[Address, ...]:
        venues, accounts = self.venues, self.accounts
        return (
            venues.aave.address,
            venues.router.address,
            venues.desk.address,
            accounts.float,
            accounts.deal,
        )

    def _lending(self) -> Named:
        basis, aave = self.basis, self.venues.aave
        yield "eth_feed", PriceFeed(basis.eth_feed).latest()
        yield "cash_feed", PriceFeed(basis.cash_feed).latest()
        yield "supplied", scaled_total(basis.collateral.a_token)
        yield "supply_index", aave.income_index(self.venues.weth_token.address)
        yield "available", self.venues.usdt.balance_of(basis.loan.a_token)
        yield "debt", scaled_total(basis.loan.variable_debt_token)
        yield "debt_index", aave.debt_index(self.venues.usdt.address)
        names = ("base_rate", "slope_1", "slope_2", "optimal_usage")
        yield from zip(names, strategy_reads(basis.loan.rate_strategy), strict=True)

    def _exchange(self) -> Named:
        venues = self.venues
        for name, pool in ((SALE, venues.eth_pool), (PURCHASE, venues.usdtz_pool)):
            yield f"{name}_slot0", pool.slot0()
            yield f"{name}_liquidity", pool.liquidity()
        for window in WINDOWS_SECONDS:
            yield f"{AVERAGE}{window}", venues.eth_pool.average(window)
        yield from self._quotes(SALE, venues.sell_eth, self.probe.sales)
        yield from self._quotes(PURCHASE, venues.buy_usdtz, self.probe.purchases)

    def _quotes(self, name: str, route: Route, amounts: tuple[TokenAmount, ...]) -> Named:
        for index, amount in enumerate(amounts):
            yield (
                f"{name}_{index}",
                self.venues.quoter.exact_input(route, amount.units, allow_failure=True),
            )

    def _desk(self) -> Named:
        desk = self.venues.desk
        yield "frozen", desk.is_frozen()
        yield "redemption_fee", desk.fee_bps()
        yield "queue_delay", desk.queue_delay()
        yield "desk_cash", desk.reserves()
