"""What a sized deal costs, in dollars; pure."""

from holdfast.common.money import BPS, USD8, TokenAmount, Usd8, mul_div
from holdfast.model.plan import Terms
from holdfast.planning.gas_budget import expected_gas
from holdfast.planning.model import Costs, Setting
from holdfast.planning.sizing import Sized
from holdfast.planning.snapshot import MarketSnapshot, Quote
from holdfast.risk.formulas import PIPS, interest
from holdfast.risk.model import Position
from holdfast.risk.reserve import exit_cost


def par_value(tokens: TokenAmount, market: MarketSnapshot) -> Usd8:
    """What tokens redeem for before the desk's fee: one unit of the debt currency each."""
    return Usd8(mul_div(tokens.units, market.prices.cash, 10**tokens.token.decimals))


def face_value(tokens: TokenAmount) -> Usd8:
    """Tokens at one dollar each, as budgets, caps and rungs count them."""
    return Usd8(mul_div(tokens.units, USD8, 10**tokens.token.decimals))


def market_value(quote: Quote, market: MarketSnapshot) -> Usd8:
    """What the bought tokens are worth at the pool's price before the purchase."""
    if quote.spot_out.units == 0:
        return Usd8(0)
    paid = market.prices.cash_value(quote.amount_in)
    return Usd8(mul_div(quote.amount_out.units, paid, quote.spot_out.units))


def spent(terms: Terms, market: MarketSnapshot) -> Usd8:
    """What all tokens cost, however many are held at a time."""
    return market.prices.cash_value(terms.spend)


def deal_costs(sized: Sized, setting: Setting, after: Position) -> Costs:
    """The costs of a deal that is held to its horizon."""
    market, stress = setting.market, sized.stress
    par = par_value(sized.purchase.amount_out, market)
    gas = expected_gas(sized.terms, setting.policy) * market.gas.expected_wei
    return Costs(
        purchase_fee=Usd8(mul_div(spent(sized.terms, market), market.purchase_pool.fee_pips, PIPS)),
        purchase_impact=_impact(sized.purchase, market),
        sale_cost=_shortfall(sized.sale.amount_in, sized.sale.amount_out, market),
        max_sale_cost=_shortfall(sized.sale.amount_in, sized.terms.bucket_sale_min, market),
        exit_cost=exit_cost(after, stress),
        interest=interest(after.debt, sized.rate_ray, stress.days),
        stressed_interest=interest(after.debt, stress.apr_ray, stress.days),
        redemption_fee=Usd8(mul_div(par, market.desk.fee, BPS, round_up=True)),
        gas=market.prices.eth_value(gas),
        max_gas=stress.costs,
    )


def _impact(quote: Quote, market: MarketSnapshot) -> Usd8:
    """What the purchase's own impact keeps back, at the pool's price before it."""
    if quote.spot_out.units == 0:
        return Usd8(0)
    paid = market.prices.cash_value(quote.amount_in)
    missing = quote.missing(market.purchase_pool.fee_pips)
    return Usd8(mul_div(paid, missing, quote.spot_out.units, round_up=True))


def _shortfall(sold: TokenAmount, raised: TokenAmount, market: MarketSnapshot) -> Usd8:
    fair = market.prices.eth_value(sold.units)
    return Usd8(max(0, fair - market.prices.cash_value(raised)))
