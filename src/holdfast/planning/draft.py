"""One variant of a deal, sized, costed and stressed at one block; pure."""

from dataclasses import dataclass, replace

from holdfast.common.money import WAD, Bps, TokenAmount, Usd8, mul_div
from holdfast.model.deal import DealRequest
from holdfast.planning.checks import checks
from holdfast.planning.costs import deal_costs, market_value, par_value, spent
from holdfast.planning.gate import lot_verdict
from holdfast.planning.legs import planned_legs
from holdfast.planning.model import Costs, Draft, Metrics, Outlook, Setting
from holdfast.planning.sizing import Sized, size
from holdfast.planning.snapshot import Quote
from holdfast.protocols.aave_v3.math import health_factor
from holdfast.risk.formulas import (
    all_in_cost,
    break_even_success,
    liquidation_drop,
    liquidation_price,
    ltv,
    share_of,
    simple_return,
)
from holdfast.risk.gate import GateVerdict, cost_per_token
from holdfast.risk.model import Position
from holdfast.risk.reserve import breaking_gap, debt_cover, loss_bound
from holdfast.risk.scenarios import STANDARD, Exposed, bound, outcome


def draft(request: DealRequest, setting: Setting) -> Draft:
    """The deal that `request` asks for, with every rule checked; it may break some.

    Raises:
        PricesMoved: the quotes are smaller than what the deal trades.
    """
    sized = size(request, setting.market, setting.policy)
    drafting = _Drafting(request, setting, sized)
    made = drafting.made()
    return replace(made, checks=checks(made, setting))


@dataclass(frozen=True, slots=True)
class _Drafting:
    request: DealRequest
    setting: Setting
    sized: Sized

    def made(self) -> Draft:
        """The draft, not yet checked."""
        sized, before, after = self.sized, self._before(), self._after()
        costs = deal_costs(sized, self.setting, after)
        exposed = self._exposed(after, costs)
        return Draft(
            request=self.request,
            terms=sized.terms,
            purchase=sized.purchase,
            sale=sized.sale,
            rate_ray=sized.rate_ray,
            gas=sized.gas,
            legs=planned_legs(sized.terms, self.setting),
            before=before,
            after=after,
            stress=sized.stress,
            costs=costs,
            metrics_before=self._metrics(before),
            metrics_after=self._metrics(after),
            outlook=self._outlook(after, costs, exposed),
            exposed=exposed,
            scenarios=tuple(outcome(shock, exposed) for shock in STANDARD),
            gate=self._gate(costs),
            checks=(),
        )

    def _before(self) -> Position:
        """All ETH of the deal, idle; working liquidity is not collateral yet."""
        split, value = self.sized.terms.split, self.setting.market.prices.eth_value
        return Position(
            core=value(split.core.units),
            collateral=value(split.working.units),
            reserve_eth=value(split.bucket.units),
        )

    def _after(self) -> Position:
        """The deal right after its largest purchase, if the bucket's sale brings the least."""
        terms, market = self.sized.terms, self.setting.market
        split, value = terms.split, market.prices.eth_value
        lot = terms.largest_lot
        cash = terms.borrow + terms.bucket_sale_min - lot
        return Position(
            core=value(split.core.units),
            collateral=value(split.working.units),
            reserve_eth=value(split.bucket.units - terms.bucket_sale.units),
            cash=market.prices.cash_value(TokenAmount(cash.token, max(0, cash.units))),
            debt=market.prices.cash_value(terms.borrow),
            token_cost=market.prices.cash_value(lot),
            token_market=market_value(self._largest, market),
        )

    def _metrics(self, position: Position) -> Metrics:
        threshold = self.setting.market.collateral.threshold
        return Metrics(
            ltv=ltv(position.debt, position.collateral),
            health_factor=health_factor(position.collateral, threshold, position.debt),
            exposure_cost=share_of(position.token_cost, position.nav),
            exposure_market=share_of(position.token_market, position.nav),
            exposure_freeze=share_of(position.token_cost, position.freeze_nav),
            debt_cover=debt_cover(position, self.sized.stress),
        )

    def _outlook(self, after: Position, costs: Costs, exposed: Exposed) -> Outlook:
        market, stress = self.setting.market, self.sized.stress
        par = par_value(self.sized.purchase.amount_out, market)
        paid = spent(self.sized.terms, market)
        cost_wad = self._cost_wad(costs)
        threshold = market.collateral.threshold
        working = self.sized.terms.split.working.units
        ordinary = loss_bound(after, stress, costs.max_sale_cost)
        dear_gas = market.prices.eth_value(self.sized.gas.emergency_wei) if after.debt else 0
        loss = Usd8(bound(exposed) + dear_gas)
        return Outlook(
            loss=loss,
            theorem=Usd8(ordinary - costs.exit_cost),
            sale=costs.exit_cost,
            emergency=Usd8(loss - ordinary),
            profit=Usd8(par - costs.redemption_fee - paid - costs.carried),
            simple_return=simple_return(cost_wad, market.desk.fee) if cost_wad else Bps(0),
            break_even=break_even_success(cost_wad, market.desk.fee),
            liquidation_price=liquidation_price(after.debt, working, threshold),
            liquidation_drop=liquidation_drop(ltv(after.debt, after.collateral), threshold),
            breaking_gap=breaking_gap(after, stress),
        )

    def _gate(self, costs: Costs) -> GateVerdict:
        """As the purchase may go at worst: the fewest tokens, all charges at their most.

        Execution asks again just before it buys, and knows no better price than the swap's limit.
        """
        terms, market = self.sized.terms, self.setting.market
        worst = replace(self.sized.purchase, amount_out=terms.min_tokens)
        face = par_value(terms.min_tokens, market)
        most = Usd8(costs.interest + costs.max_sale_cost + costs.max_gas)
        cost_wad = cost_per_token(spent(terms, market), most, face) if face else 0
        return lot_verdict(worst.scaled(terms.largest_lot.units), cost_wad, self.setting)

    @property
    def _largest(self) -> Quote:
        """The purchase of the largest lot, at the price of the whole."""
        return self.sized.purchase.scaled(self.sized.terms.largest_lot.units)

    def _cost_wad(self, costs: Costs) -> int:
        market = self.setting.market
        par = par_value(self.sized.purchase.amount_out, market)
        return _cost_per_token(spent(self.sized.terms, market), par, costs.carried)

    def _exposed(self, after: Position, costs: Costs) -> Exposed:
        market, limits = self.setting.market, self.setting.policy.limits
        return Exposed(
            position=after,
            stress=self.sized.stress,
            threshold=market.collateral.threshold,
            token_par=par_value(self._largest.amount_out, market),
            paid=costs.max_sale_cost,
            gas_per_gwei=market.prices.eth_value(self.sized.gas.most * 10**9),
            pool_slip=self.sized.pool_slip,
            most_slip=max(self.sized.stress.exit_slip, limits.emergency_slippage),
            most_gas_gwei=market.gas.homeward_wei // 10**9,
        )


def _cost_per_token(cost: Usd8, par: Usd8, carried: Usd8) -> int:
    """The all-in cost k of one token as a share of par, in WAD; the quote has slip and fee in."""
    if cost == 0 or par == 0:
        return 0
    price = mul_div(cost, WAD, par, round_up=True)
    financing = mul_div(carried, WAD, cost, round_up=True)
    return all_in_cost(price, slip=Bps(0), swap_fee_pips=0, financing_wad=financing)
