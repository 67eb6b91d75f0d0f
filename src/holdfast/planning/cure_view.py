"""What a plan lets the desk do by itself when the market moves, as JSON; pure."""

from holdfast.common.money import WAD, Usd8
from holdfast.model.plan import CurePolicy, Envelope
from holdfast.planning.json_values import Json, percent, ratio, usd
from holdfast.planning.model import Draft, Setting
from holdfast.risk.cures import CurePrices, cure_prices


def cure_view(chosen: Draft, setting: Setting, envelope: Envelope) -> Json | None:
    """The cures with the prices at which they begin, and when the deal goes home instead.

    None for a deal without debt, which needs no cure, and for plans from before there was a policy.
    """
    policy, limits = envelope.cures, setting.policy.limits
    if policy is None or chosen.after.debt == 0:
        return None
    prices = cure_prices(
        chosen.after,
        chosen.stress,
        setting.market.prices.eth,
        act_at=policy.act_ltv,
        cover_wad=policy.convert_cover_wad,
    )
    return {
        **_begins(policy, prices),
        "sells_at_most_percent_under_oracle": percent(envelope.exit_slippage),
        "in_an_emergency_percent_under_oracle": percent(envelope.deepest_slippage),
        "goes_home_instead": {
            "under_debt_cover": ratio(limits.min_cover_wad),
            "when_a_fall_would_liquidate_percent": percent(limits.gap),
            "under_health_factor": ratio(WAD),
        },
        "adds_risk": False,
    }


def _begins(policy: CurePolicy, prices: CurePrices) -> Json:
    return {
        "repay": {
            "at_ltv_percent": percent(policy.act_ltv),
            "to_ltv_percent": percent(policy.target_ltv),
            "from_eth_price_usd": _price(prices.repay),
        },
        "convert": {
            "under_debt_cover": ratio(policy.convert_cover_wad),
            "cash_room_percent": percent(policy.cash_room),
            "from_eth_price_usd": _price(prices.convert),
        },
    }


def _price(price: Usd8 | None) -> str | None:
    return None if price is None else usd(price)
