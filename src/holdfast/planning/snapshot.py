"""The market as planning sees it, read at one block."""

from collections.abc import Mapping
from dataclasses import dataclass

from holdfast.common.evm import Address, BlockRef
from holdfast.common.money import BPS, WAD, Bps, Token, TokenAmount, Usd8, mul_div
from holdfast.protocols.aave_v3.rates import RateStrategy
from holdfast.risk.formulas import PIPS
from holdfast.risk.price_sources import PriceSources


@dataclass(frozen=True, slots=True)
class Tokens:
    """The deal's tokens: gas and reserve, collateral, debt currency, and the discounted token."""

    native: Token
    weth: Token
    cash: Token
    discounted: Token


@dataclass(frozen=True, slots=True)
class Prices:
    """The lending venue's oracle at one block, in dollars times 1e8 for a whole token."""

    eth: Usd8
    cash: Usd8

    def eth_value(self, wei: int) -> Usd8:
        """`wei` of ETH in dollars, rounded down as the lending pool does."""
        return Usd8(mul_div(wei, self.eth, WAD))

    def cash_value(self, amount: TokenAmount) -> Usd8:
        """An amount of the debt currency in dollars, rounded down as the lending pool does."""
        return Usd8(mul_div(amount.units, self.cash, 10**amount.token.decimals))


@dataclass(frozen=True, slots=True)
class Probe:
    """Amounts to quote, each at least what any variant of the deal may trade."""

    purchases: tuple[TokenAmount, ...]
    sales: tuple[TokenAmount, ...]


@dataclass(frozen=True, slots=True)
class Quote:
    """What a pool gives for an exact input, its fee included.

    `spot_out` is what the price before the trade would give, without fee and impact.
    """

    amount_in: TokenAmount
    amount_out: TokenAmount
    spot_out: TokenAmount

    def scaled(self, units: int) -> "Quote":
        """At least what `units`, no more than was quoted, would give.

        A pool's price only worsens with size, so a part gets at least its share.
        """
        whole = self.amount_in.units
        if units == whole:
            return self
        return Quote(
            TokenAmount(self.amount_in.token, units),
            self.amount_out.times(units, whole),
            self.spot_out.times(units, whole),
        )

    def price_impact(self, fee_pips: int) -> Bps:
        """How much less than the spot price less the fee is given, rounded up."""
        fair = self._fair(fee_pips)
        missing = self.missing(fee_pips)
        return Bps(mul_div(missing, BPS, fair, round_up=True)) if fair else Bps(0)

    def missing(self, fee_pips: int) -> int:
        """What the trade's own impact keeps back, in base units of what is bought."""
        return max(0, self._fair(fee_pips) - self.amount_out.units)

    def _fair(self, fee_pips: int) -> int:
        return mul_div(self.spot_out.units, PIPS - fee_pips, PIPS)


@dataclass(frozen=True, slots=True)
class Pool:
    """One exchange pool; `depth` is the debt currency that moves its price by one percent."""

    address: Address
    fee_pips: int
    depth: TokenAmount


@dataclass(frozen=True, slots=True)
class CollateralReserve:
    """The lending venue's WETH; caps are in base units, 0 when there is none."""

    threshold: Bps
    venue_ltv: Bps
    supplied: int
    supply_cap: int
    is_open: bool


@dataclass(frozen=True, slots=True)
class LoanReserve:
    """The lending venue's debt currency, in base units; `rate_ray` is the rate now."""

    available: int
    total_debt: int
    borrow_cap: int
    strategy: RateStrategy
    rate_ray: int
    is_open: bool


@dataclass(frozen=True, slots=True)
class Desk:
    """The redemption desk; `cash` is what it can pay now."""

    is_frozen: bool
    fee: Bps
    queue_delay_seconds: int
    cash: TokenAmount


@dataclass(frozen=True, slots=True)
class AnchorState:
    """What the core address has: its balance, allowances it gives, its place at the venue."""

    balance_wei: int
    allowances: int
    debt: Usd8
    collateral: Usd8


@dataclass(frozen=True, slots=True)
class Gas:
    """The price of gas in wei: the block's base fee, a tip, and the chain's ceilings.

    `emergency_wei` is that of what lowers risk; 0 where it is the same.
    """

    base_fee_wei: int
    tip_wei: int
    ceiling_wei: int
    emergency_wei: int = 0

    @property
    def homeward_wei(self) -> int:
        """The ceiling of what lowers risk."""
        return max(self.ceiling_wei, self.emergency_wei)

    @property
    def expected_wei(self) -> int:
        """What a transaction would pay now."""
        return min(self.base_fee_wei + self.tip_wei, self.ceiling_wei)


@dataclass(frozen=True, slots=True)
class MarketSnapshot:
    """Everything a plan is made from, read at `at` in one batch.

    `pinned_code` is the chain profile's code hash of each contract, `code` the chain's.
    """

    at: BlockRef
    chain_id: int
    genesis_hash: str
    tokens: Tokens
    prices: Prices
    sources: PriceSources
    gas: Gas
    collateral: CollateralReserve
    loan: LoanReserve
    purchase_pool: Pool
    purchases: tuple[Quote, ...]
    sale_pool: Pool
    sales: tuple[Quote, ...]
    desk: Desk
    anchor: AnchorState
    float_wei: int
    code: Mapping[Address, str]
    pinned_code: Mapping[Address, str]
