"""The answers of a market read, put together as a snapshot; nothing here talks to the chain."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from holdfast.chain.multicall import Reverted
from holdfast.chain.profiles import ChainProfile
from holdfast.common.evm import Address
from holdfast.common.money import Bps, Token, TokenAmount, Usd8
from holdfast.planning.market_reads import ALLOWANCE, AVERAGE, PURCHASE, SALE, Basis
from holdfast.planning.snapshot import (
    AnchorState,
    CollateralReserve,
    Desk,
    LoanReserve,
    MarketSnapshot,
    Pool,
    Probe,
    Quote,
    Tokens,
)
from holdfast.protocols.aave_v3.math import unscaled
from holdfast.protocols.aave_v3.rates import RateStrategy
from holdfast.protocols.suite import Protocols
from holdfast.protocols.uniswap_v3.pools import Route, Slot0
from holdfast.risk.price_sources import WINDOWS_SECONDS, FeedPrice, PriceSources, held


def deal_tokens(profile: ChainProfile) -> Tokens:
    """The tokens of deals on the chain of `profile`; `profile.token_missing` without them."""
    return Tokens(profile.native, profile.weth, profile.usdt, profile.usdtz)


@dataclass(frozen=True, slots=True)
class Answers:
    """What both exchanges found, by name."""

    profile: ChainProfile
    venues: Protocols
    basis: Basis
    probe: Probe
    found: Mapping[str, Any]
    code: Mapping[Address, str]

    def snapshot(self) -> MarketSnapshot:
        """The market at the block of the read."""
        venues, tokens = self.venues, deal_tokens(self.profile)
        return MarketSnapshot(
            at=self.basis.head.ref,
            chain_id=self.profile.chain_id,
            genesis_hash=self.profile.genesis_hash or "",
            tokens=tokens,
            prices=self.basis.prices,
            sources=self._sources(),
            gas=self.basis.gas,
            collateral=self._collateral(),
            loan=self._loan(),
            purchase_pool=self._pool(PURCHASE, venues.usdtz_pool.address, venues.buy_usdtz),
            purchases=self._quotes(PURCHASE, venues.buy_usdtz, tokens.discounted),
            sale_pool=self._pool(SALE, venues.eth_pool.address, venues.sell_eth.reverse),
            sales=self._quotes(SALE, venues.sell_eth, tokens.cash),
            desk=self._desk(tokens.cash),
            anchor=self._anchor(),
            float_wei=self.found["float_wei"],
            code=self.code,
            pinned_code=self.profile.code_hashes,
        )

    def _sources(self) -> PriceSources:
        """The feeds, and the average of the pool that sells the bucket."""
        found, prices, tokens = self.found, self.basis.prices, deal_tokens(self.profile)
        averages = [found[f"{AVERAGE}{window}"] for window in WINDOWS_SECONDS]
        one = 10**tokens.native.decimals
        cash = held(found[f"{SALE}_slot0"], averages).out_at_spot(self.venues.sell_eth, one)
        return PriceSources(
            now=self.basis.head.ref.timestamp,
            eth=FeedPrice(prices.eth, found["eth_feed"].updated_at),
            cash=FeedPrice(prices.cash, found["cash_feed"].updated_at),
            pool=prices.cash_value(TokenAmount(tokens.cash, cash)),
        )

    def _collateral(self) -> CollateralReserve:
        reserve = self.basis.collateral
        settings = reserve.configuration
        return CollateralReserve(
            threshold=Bps(settings.liquidation_threshold),
            venue_ltv=Bps(settings.ltv),
            supplied=unscaled(self.found["supplied"], self.found["supply_index"]),
            supply_cap=settings.supply_cap * 10**settings.decimals,
            is_open=settings.takes_new_positions,
        )

    def _loan(self) -> LoanReserve:
        reserve, found = self.basis.loan, self.found
        settings = reserve.configuration
        return LoanReserve(
            available=found["available"],
            total_debt=unscaled(found["debt"], found["debt_index"]),
            borrow_cap=settings.borrow_cap * 10**settings.decimals,
            strategy=RateStrategy(
                base_rate=found["base_rate"],
                slope_1=found["slope_1"],
                slope_2=found["slope_2"],
                optimal_usage=found["optimal_usage"],
            ),
            rate_ray=reserve.variable_borrow_rate,
            is_open=settings.takes_new_positions and settings.can_be_borrowed,
        )

    def _pool(self, name: str, address: Address, from_cash: Route) -> Pool:
        """The pool, and the cash that moves its price by one percent at the liquidity in range."""
        slot0: Slot0 = self.found[f"{name}_slot0"]
        depth = slot0.one_percent_depth(from_cash, self.found[f"{name}_liquidity"])
        cash = deal_tokens(self.profile).cash
        return Pool(address, from_cash.fee, TokenAmount(cash, depth))

    def _quotes(self, name: str, route: Route, bought: Token) -> tuple[Quote, ...]:
        amounts = self.probe.sales if name == SALE else self.probe.purchases
        slot0: Slot0 = self.found[f"{name}_slot0"]
        quotes: list[Quote] = []
        for index, amount in enumerate(amounts):
            answer = self.found[f"{name}_{index}"]
            given = 0 if isinstance(answer, Reverted) else answer.amount  # it cannot be filled
            spot = slot0.out_at_spot(route, amount.units)
            quotes.append(Quote(amount, TokenAmount(bought, given), TokenAmount(bought, spot)))
        return tuple(quotes)

    def _desk(self, cash: Token) -> Desk:
        found = self.found
        return Desk(
            is_frozen=found["frozen"],
            fee=Bps(found["redemption_fee"]),
            queue_delay_seconds=found["queue_delay"],
            cash=TokenAmount(cash, found["desk_cash"]),
        )

    def _anchor(self) -> AnchorState:
        found = self.found
        given = [value for name, value in found.items() if name.startswith(ALLOWANCE)]
        return AnchorState(
            balance_wei=found["core_wei"],
            allowances=sum(allowance > 0 for allowance in given),
            debt=Usd8(found["core_account"].debt_base),
            collateral=Usd8(found["core_account"].collateral_base),
        )
