"""How much of each trade to quote, and how a quote is read for a smaller amount; pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from holdfast.common.money import (
    BPS,
    WAD,
    Bps,
    Token,
    TokenAmount,
    mul_div,
    split_by_bps,
)
from holdfast.model.deal import DealRequest, Funding
from holdfast.model.plan import Split
from holdfast.planning.errors import PricesMoved
from holdfast.planning.gas_budget import gas_budget
from holdfast.planning.model import PlanPolicy
from holdfast.planning.snapshot import Gas, Prices, Probe, Quote, Tokens


@dataclass(frozen=True, slots=True)
class Probing:
    """Says what to quote for some requests, once the prices are known (`ports.Sizes`)."""

    requests: Sequence[DealRequest]
    policy: PlanPolicy

    def __call__(self, tokens: Tokens, prices: Prices, gas: Gas) -> Probe:
        """Amounts that none of the requests can exceed."""
        purchases: set[int] = set()
        sales: set[int] = set()
        for request in self.requests:
            split = capital_split(request, prices, tokens.native)
            spend = loan(request, split, prices, tokens.cash).units
            sale = sellable_wei(split, gas_budget(request, self.policy, gas).reserve_wei)
            if request.funding is Funding.BUCKET:
                spend += self._richest(prices, sale, tokens.cash)
            purchases.add(spend)
            sales.add(sale)
        return Probe(_amounts(tokens.cash, purchases), _amounts(tokens.weth, sales))

    def _richest(self, prices: Prices, wei: int, cash: Token) -> int:
        """The most cash that `wei` can raise while pool and oracle agree within the limit."""
        most = prices.eth_value(wei) * (BPS + self.policy.limits.oracle_max_deviation)
        return mul_div(most, 10**cash.decimals, BPS * prices.cash, round_up=True)


def capital_split(request: DealRequest, prices: Prices, native: Token) -> Split:
    """The ETH that is worth `total_eth_value`, in its three parts, to the wei."""
    nav = TokenAmount(native, mul_div(request.total_eth_value, WAD, prices.eth))
    shares = request.split
    return Split(*split_by_bps(nav, shares.core, shares.working, shares.bucket))


def loan(request: DealRequest, split: Split, prices: Prices, cash: Token) -> TokenAmount:
    """What is borrowed: the opening LTV of the collateral's value, rounded down."""
    value = prices.eth_value(split.working.units)
    units = mul_div(value, request.opening_ltv * 10**cash.decimals, BPS * prices.cash)
    return TokenAmount(cash, units)


def sellable_wei(split: Split, gas_reserve_wei: int) -> int:
    """The bucket's ETH that may be sold."""
    return max(0, split.bucket.units - gas_reserve_wei)


def best_quote(quotes: Sequence[Quote], units: int, sold: Token, bought: Token) -> Quote:
    """The quote for `units`, scaled down from the smallest that is large enough.

    Raises:
        PricesMoved: nothing as large was quoted.
    """
    if units == 0:
        nothing = TokenAmount(bought, 0)
        return Quote(TokenAmount(sold, 0), nothing, nothing)
    enough = [quote for quote in quotes if quote.amount_in.units >= units]
    if not enough:
        raise PricesMoved(units, max((quote.amount_in.units for quote in quotes), default=0))
    return min(enough, key=lambda quote: quote.amount_in.units).scaled(units)


def exit_slip(quote: Quote, prices: Prices) -> Bps:
    """What selling the quoted ETH loses against the oracle, its fee included, rounded up."""
    fair = prices.eth_value(quote.amount_in.units)
    got = prices.cash_value(quote.amount_out)
    if fair == 0:
        return Bps(0)
    return Bps(min(BPS - 1, mul_div(max(0, fair - got), BPS, fair, round_up=True)))


def _amounts(token: Token, units: set[int]) -> tuple[TokenAmount, ...]:
    return tuple(TokenAmount(token, one) for one in sorted(units) if one)
