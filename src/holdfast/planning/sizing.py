"""How large a deal is: from a request and a market to the amounts of every step; pure.

Everything is rounded against the deal, so that no rule is broken by a unit of rounding.
"""

from dataclasses import dataclass

from holdfast.common.money import BPS, USD8, WAD, Bps, TokenAmount, Usd8, mul_div
from holdfast.model.deal import DealRequest, Funding, Ladder
from holdfast.model.plan import Split, Terms
from holdfast.planning.gas_budget import gas_budget
from holdfast.planning.model import GasBudget, PlanPolicy
from holdfast.planning.quoting import best_quote, capital_split, exit_slip, loan, sellable_wei
from holdfast.planning.snapshot import MarketSnapshot, Quote
from holdfast.risk.formulas import RAY_PER_BPS
from holdfast.risk.model import Stress
from holdfast.risk.reserve import owed
from holdfast.risk.scenarios import MOST_SLIP

_EXPOSURE_ROOM_BPS = 100
"""How far ETH may fall between plan and purchase before the desk's limit on exposure stops it; no
more, or a bucket without a loan could not buy what RISK.md's table says."""
_FLOORS = 2  # base units lost by scaling a quote and by taking the slippage off it
_ROUNDING = 8  # dollars * 1e8 that the parts of a balance sheet lose by being rounded one by one


@dataclass(frozen=True, slots=True)
class Sized:
    """The terms of a deal and what they rest on.

    `rate_ray` is the borrow rate after the loan, `pool_slip` what the pool keeps of the whole
    bucket's sale; `stress` sells at what a sale may lose.
    """

    terms: Terms
    purchase: Quote
    sale: Quote
    gas: GasBudget
    rate_ray: int
    stress: Stress
    pool_slip: Bps


def size(request: DealRequest, market: MarketSnapshot, policy: PlanPolicy) -> Sized:
    """The amounts of every step of the deal.

    Raises:
        PricesMoved: the quotes are smaller than what the deal trades.
    """
    split = capital_split(request, market.prices, market.tokens.native)
    sizing = _Sizing(
        request=request,
        market=market,
        policy=policy,
        split=split,
        borrowed=loan(request, split, market.prices, market.tokens.cash),
        gas=gas_budget(request, policy, market.gas),
    )
    return sizing.sized()


def ladder(
    tokens: TokenAmount, surplus: int, policy: PlanPolicy, *, limit: Usd8 | None = None
) -> tuple[TokenAmount, ...]:
    """The rungs in which `tokens` are redeemed, summing to them; the last is what is left.

    Args:
        tokens: the least that the purchase gives.
        surplus: how many more it may give; the last rung takes them and stays within the budget.
        policy: the rungs and the budget in flight.
        limit: the most of a rung at par, where it is less than that budget.
    """
    unit = 10**tokens.token.decimals
    first = [mul_div(rung, unit, USD8) for rung in policy.rungs]
    most = mul_div(policy.limits.in_flight if limit is None else limit, unit, USD8)
    rest = max(most - surplus, most // 2, 1)  # a surplus that fills the budget is a check's matter
    rungs: list[int] = []
    left = tokens.units
    while left:
        wanted = first[len(rungs)] if len(rungs) < len(first) else rest
        rungs.append(min(wanted, rest, left))
        left -= rungs[-1]
    return tuple(TokenAmount(tokens.token, units) for units in rungs)


def lots(spend: TokenAmount, tranches: tuple[TokenAmount, ...]) -> tuple[TokenAmount, ...]:
    """What buys each tranche at the plan's price, summing to `spend`."""
    total = sum(tranche.units for tranche in tranches)
    bought, spent, found = 0, 0, list[TokenAmount]()
    for tranche in tranches:
        bought += tranche.units
        until = mul_div(spend.units, bought, total)
        found.append(TokenAmount(spend.token, until - spent))
        spent = until
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Sizing:
    request: DealRequest
    market: MarketSnapshot
    policy: PlanPolicy
    split: Split
    borrowed: TokenAmount
    gas: GasBudget

    def sized(self) -> Sized:
        """The deal in the funding that was asked for."""
        rate = self._rate()
        pool_slip = self._pool_slip()
        stress = self._stress(rate, pool_slip)
        sale, spend = 0, self.borrowed.units
        if self.request.funding is Funding.BUCKET:
            sale, spend = self._bucket(stress)
        tokens = self.market.tokens
        bought = best_quote(self.market.purchases, spend, tokens.cash, tokens.discounted)
        sold = self._sale(sale)
        return Sized(self._terms(bought, sold), bought, sold, self.gas, rate, stress, pool_slip)

    def _terms(self, bought: Quote, sold: Quote) -> Terms:
        tokens = self.market.tokens
        least = TokenAmount(tokens.discounted, self._least(bought))
        tranches = self._tranches(least, bought.amount_out.units - least.units)
        return Terms(
            split=self.split,
            funding=self.request.funding,
            borrow=self.borrowed,
            bucket_sale=TokenAmount(tokens.native, sold.amount_in.units),
            bucket_sale_min=TokenAmount(tokens.cash, self._least(sold)),
            spend=bought.amount_in,
            min_tokens=least,
            tranches=tranches,
            gas_reserve=TokenAmount(tokens.native, self.gas.reserve_wei),
            lots=lots(bought.amount_in, tranches) if self._buys_in_lots else (),
        )

    @property
    def _buys_in_lots(self) -> bool:
        return self.request.ladder is Ladder.POSITION

    def _tranches(self, least: TokenAmount, surplus: int) -> tuple[TokenAmount, ...]:
        """The rungs; where each is bought by itself, none is more than needs no belief."""
        limits = self.policy.limits
        limit = min(limits.in_flight, limits.loss_budget) if self._buys_in_lots else None
        return ladder(least, surplus, self.policy, limit=limit)

    def _bucket(self, stress: Stress) -> tuple[int, int]:
        """The ETH to sell and the cash to spend in `bucket` funding, in base units.

        The cash that is left must cover the debt 1.25 times by itself, and the token's share of
        freeze NAV stay within its limit.
        """
        most = sellable_wei(self.split, self.gas.reserve_wei)
        raised = self._least(self._sale(most))
        kept = self._kept(stress)
        largest = max((quote.amount_in.units for quote in self.market.purchases), default=0)
        capacity = self.borrowed.units + raised - kept
        spend = max(0, min(capacity, self._exposure_limit(most, raised), largest))
        if spend == 0:
            return 0, 0
        needed = max(0, spend + kept - self.borrowed.units) + _FLOORS
        return min(most, mul_div(most, needed, raised, round_up=True)), spend

    def _kept(self, stress: Stress) -> int:
        """Cash that stays to cover the debt, in base units."""
        if self.borrowed.units == 0:
            return 0
        due = owed(self.market.prices.cash_value(self.borrowed), stress)
        cover = mul_div(due, self.policy.limits.warn_cover_wad, WAD, round_up=True)
        return self._cash_units(Usd8(cover + 1), round_up=True)

    def _exposure_limit(self, sold: int, raised: int) -> int:
        """The most that may be spent for S / (freeze NAV before - S) to stay within its limit.

        The purchase is held to the desk's limit once more when its turn comes, hence the room.
        """
        prices, desks = self.market.prices, self.policy.limits.max_exposure
        limit = min(self.request.max_exposure, desks * (BPS - _EXPOSURE_ROOM_BPS) // BPS)
        left = prices.eth_value(self.split.nav.units - sold)
        nav = left + prices.cash_value(TokenAmount(self.market.tokens.cash, raised)) - _ROUNDING
        return self._cash_units(Usd8(max(0, nav) * limit // (BPS + limit)), round_up=False)

    def _rate(self) -> int:
        """The borrow rate in ray a year once the deal has borrowed."""
        reserve = self.market.loan
        taken = min(self.borrowed.units, reserve.available)
        return reserve.strategy.borrow_rate(reserve.available - taken, reserve.total_debt + taken)

    def _pool_slip(self) -> Bps:
        """What the pool keeps of the whole bucket's sale, at least what limits reckon with."""
        quoted = self._sale(sellable_wei(self.split, self.gas.reserve_wei))
        slip = exit_slip(quoted, self.market.prices)
        return max(self.policy.limits.min_exit_slip, slip)

    def _stress(self, rate_ray: int, pool_slip: Bps) -> Stress:
        """The stress that the deal's reserve must survive; a sale loses the most that it may.

        That is what the pool keeps, and how far pool and oracle may be apart (I10): a tighter bound
        would keep the debt unpaid just when the market moves.
        """
        limits = self.policy.limits
        dearer = mul_div(rate_ray, limits.stress_apr_multiple, BPS)
        return Stress(
            gap=limits.gap,
            exit_slip=Bps(min(MOST_SLIP, pool_slip + limits.oracle_max_deviation)),
            apr_ray=max(limits.stress_apr * RAY_PER_BPS, dearer),
            days=self.request.horizon_days,
            costs=self.market.prices.eth_value(self.gas.max_fee_wei),
        )

    def _sale(self, wei: int) -> Quote:
        tokens = self.market.tokens
        return best_quote(self.market.sales, wei, tokens.weth, tokens.cash)

    def _least(self, quote: Quote) -> int:
        return mul_div(quote.amount_out.units, BPS - self.request.slippage, BPS)

    def _cash_units(self, value: Usd8, *, round_up: bool) -> int:
        unit = 10**self.market.tokens.cash.decimals
        return mul_div(value, unit, self.market.prices.cash, round_up=round_up)
