"""The redemption gate as planning asks it: for a quoted purchase, against a desk's record; pure."""

from holdfast.common.money import BPS, WAD, Bps, TokenAmount, Usd8, mul_div
from holdfast.planning.costs import par_value
from holdfast.planning.json_values import Json, percent, usd
from holdfast.planning.model import Setting
from holdfast.planning.snapshot import MarketSnapshot, Quote
from holdfast.risk.gate import GateVerdict, Lot, TokenTerms, verdict


def lot_verdict(purchase: Quote, cost_wad: int, setting: Setting) -> GateVerdict:
    """The gate for one purchase lot.

    `cost_wad` is all that a token costs until it is redeemed, as a share of par in WAD.
    """
    market = setting.market
    lot = Lot(
        cost=market.prices.cash_value(purchase.amount_in),
        face=Usd8(max(1, par_value(purchase.amount_out, market))),  # nothing bought asks nothing
    )
    terms = TokenTerms(
        price_wad=_share_of_par(purchase.amount_in, purchase.spot_out, market),
        cost_wad=cost_wad,
        fee=market.desk.fee,
    )
    return verdict(lot, setting.trials, terms, setting.policy.limits.loss_budget)


def purchase_cost_wad(purchase: Quote, market: MarketSnapshot) -> int:
    """What a token of this purchase costs as a share of par: price, slip and the pool's fee."""
    return _share_of_par(purchase.amount_in, purchase.amount_out, market)


def gate_view(found: GateVerdict) -> Json:
    """A verdict as JSON values."""
    return {
        "state": str(found.state),
        "is_open": found.is_open,
        "lot_usd": usd(found.lot.cost),
        "lot_at_par_usd": usd(found.lot.face),
        "needs_no_belief_up_to_usd": usd(found.budget),
        "believed_success_at_least_percent": percent(Bps(found.bound_wad * BPS // WAD)),
        "break_even_success_percent": percent(found.break_even),
        "redemptions_so_far": found.trials,
        "reason": found.reason,
    }


def _share_of_par(paid: TokenAmount, tokens: TokenAmount, market: MarketSnapshot) -> int:
    """A price over par in WAD, rounded up; 0 when nothing is bought."""
    par = par_value(tokens, market)
    return mul_div(market.prices.cash_value(paid), WAD, par, round_up=True) if par else 0
