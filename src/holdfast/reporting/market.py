"""Market and limits as documents: decimal strings, and words for what a state means; pure."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from holdfast.common.money import BPS, WAD, Bps, TokenAmount
from holdfast.planning.json_values import amount, block, percent, rate, ratio, usd
from holdfast.risk.dynamic import effective
from holdfast.risk.limits import RiskLimits
from holdfast.risk.market import Memory
from holdfast.risk.model import Unit
from holdfast.risk.opening import opening_ltv, openings, proposed
from holdfast.risk.price_series import moment
from holdfast.risk.score import score
from holdfast.risk.volatility import REFERENCE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from holdfast.common.money import Token, Usd8
    from holdfast.risk.dynamic import LimitState
    from holdfast.risk.market import LendingReserve, PoolPrice, RiskMarket
    from holdfast.risk.price_series import Series
    from holdfast.risk.score import Part

_UNITS = {
    **dict.fromkeys(("max_deal", "max_bank", "max_module", "max_asset", "max_day"), Unit.USD8),
    **dict.fromkeys(("max_ltv", "warn_ltv", "opening_ltv", "max_exposure"), Unit.BPS),
}
"""The limits that move with the market, and what they count."""

_FIXED: Final[Mapping[str, Unit]] = {
    **dict.fromkeys(("loss_budget", "in_flight"), Unit.USD8),
    **dict.fromkeys(("min_cover_wad", "warn_cover_wad"), Unit.WAD),
    **dict.fromkeys(
        (
            *("min_discount", "min_slippage", "max_slippage", "gap", "min_exit_slip"),
            *("emergency_slippage", "stress_apr", "stress_apr_multiple", "oracle_max_deviation"),
        ),
        Unit.BPS,
    ),
}
"""What the others count, where their names do not say it."""

_MEMORY = {
    Memory.FULL: "the whole window",
    Memory.SHORT: "a shorter window: the pool keeps too few observations",
    Memory.ABSENT: "none: the pool keeps too few observations, the price now stands in",
}


def limits_document(
    published: RiskLimits,
    state: LimitState | None,
    changes: Sequence[Mapping[str, Any]],
    *,
    watched_since: datetime | None = None,
) -> dict[str, Any]:
    """The published limits, those in force, why, and when they may rise."""
    scale = Bps(BPS) if state is None else state.scale
    in_force = effective(published, scale)
    return {
        "scale_percent": percent(scale),
        **_why(state),
        "volatility_rests_on": _rests_on(watched_since),
        "opening": {
            "proposed_percent": percent(proposed(in_force)),
            "warned_above_percent": percent(in_force.opening_ltv),
        },
        "limits": [
            _limit(name, unit, getattr(published, name), getattr(in_force, name))
            for name, unit in _UNITS.items()
        ],
        "fixed": _fixed(published),
        "changes": [_change(change) for change in changes],
    }


def opening_document(
    hours: Series, published: RiskLimits, state: LimitState | None
) -> dict[str, Any]:
    """The volatility rule on a history of hours, at the published cap and at the one in force.

    Raises:
        Rejected: as `openings`.
    """
    scale = Bps(BPS) if state is None else state.scale
    cap = effective(published, scale).max_ltv
    return {
        "file": hours.name,
        "hours": len(hours.samples),
        "from": moment(hours.samples[0].start),
        "until": moment(hours.samples[-1].start),
        "gaps": len(hours.gaps()),
        "quantiles": [
            {
                "share_percent": percent(one.share),
                "path_low_percent": f"{100 * one.low_wad / WAD:.2f}",
                "opening_ltv_percent": percent(one.ltv),
                "in_force_percent": percent(opening_ltv(cap, one.low_wad)),
            }
            for one in openings(hours, published.max_ltv)
        ],
    }


def market_document(
    market: RiskMarket, limits: RiskLimits, volatility: Bps, lent: tuple[Token, Token]
) -> dict[str, Any]:
    """Everything that was read, with the bounds of the two sources and the score.

    `lent` are the tokens of the venue's reserves: the collateral's, and the debt currency.
    """
    made = score(market, volatility)
    return {
        "block": block(market.at),
        "lag_seconds": market.lag_seconds,
        "eth": {
            "feed_usd": usd(market.eth_feed.price),
            **_age(market.sources.eth_age_seconds, limits.oracle_max_age_seconds),
            **_pool(market.eth_pool),
            "deviation_percent": percent(market.sources.deviation),
            "deviation_limit_percent": percent(limits.oracle_max_deviation),
            "is_agreed": market.sources.deviation <= limits.oracle_max_deviation,
        },
        "usdt": {
            "feed_usd": usd(market.cash_feed.price),
            **_age(market.sources.cash_age_seconds, limits.cash_oracle_max_age_seconds),
            "off_peg_percent": percent(market.off_peg),
        },
        "token": _pool(market.token_pool),
        "lending": {
            token.symbol.lower(): _reserve(reserve, token)
            for token, reserve in zip(lent, (market.collateral, market.loan), strict=True)
        },
        "gas": {"base_fee_wei": str(market.base_fee_wei), "tip_wei": str(market.tip_wei)},
        "desk": {
            "is_frozen": market.desk.is_frozen,
            "fee_percent": percent(market.desk.fee),
            "queue_delay_seconds": market.desk.queue_delay_seconds,
            "cash_usd": usd(market.desk.cash),
        },
        "score": {"total": made.total, "parts": [_part(part) for part in made.parts]},
    }


def _why(state: LimitState | None) -> dict[str, Any]:
    if state is None:
        return {
            "cause": "published",
            "score": None,
            "volatility_percent": None,
            "changed_at": None,
            "read_at": None,
            "may_rise_at": None,
        }
    return {
        "cause": str(state.cause),
        "score": state.score,
        "volatility_percent": percent(state.volatility.yearly),
        "changed_at": _time(state.changed_at),
        "read_at": _time(state.seen_at),
        "may_rise_at": None if state.may_rise_at is None else _time(state.may_rise_at),
    }


def _rests_on(since: datetime | None) -> str:
    """What the volatility was before the market was watched, and since when it is."""
    before = f"{percent(REFERENCE)} % a year, or as HOLDFAST_PRICE_HISTORY said if that was more"
    if since is None:
        return f"Volatility will begin at {before}."
    return f"Volatility is watched since {since:%Y-%m-%d}; it began at {before}."


def _limit(name: str, unit: Unit, published: int, in_force: int) -> dict[str, Any]:
    return {
        "name": name,
        **dict([_figure("published", published, unit), _figure("in_force", in_force, unit)]),
    }


def _fixed(published: RiskLimits) -> dict[str, Any]:
    """The limits that do not move, each by a name that ends in its unit."""
    return dict(
        _figure(
            field.name.removesuffix("_wad"), getattr(published, field.name), _FIXED.get(field.name)
        )
        for field in fields(RiskLimits)
        if field.name not in _UNITS
    )


def _figure(name: str, value: int, unit: Unit | None) -> tuple[str, Any]:
    """A key with its unit, and the value in it."""
    match unit:
        case Unit.USD8:
            return f"{name}_usd", usd(value)
        case Unit.BPS:
            return f"{name}_percent", percent(value)
        case Unit.WAD:
            return name, ratio(value)
        case _:
            return name, value


def _change(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "at": _time(row["block_timestamp"]),
        "block_number": row["block_number"],
        "before_percent": percent(row["before_bps"]),
        "after_percent": percent(row["after_bps"]),
        "cause": row["cause"],
        "score": row["score"],
        "volatility_percent": percent(row["volatility_bps"]),
    }


def _age(seconds: int, limit: int) -> dict[str, Any]:
    return {
        "feed_age_seconds": seconds,
        "feed_age_limit_seconds": limit,
        "is_fresh": seconds <= limit,
    }


def _pool(pool: PoolPrice) -> dict[str, Any]:
    return {
        "spot_usd": usd(pool.spot),
        "average_usd": _maybe_usd(pool.average),
        "average_window_seconds": pool.window_seconds,
        "average_state": str(pool.memory),
        "average_means": _MEMORY[pool.memory],
        "depth_one_percent_usd": usd(pool.depth),
    }


def _reserve(reserve: LendingReserve, token: Token) -> dict[str, Any]:
    """A reserve; a cap is in whole tokens, as the venue keeps it, where 0 is none."""
    settings = reserve.configuration
    return {
        "utilisation_percent": percent(reserve.utilisation),
        "borrow_rate_percent": rate(reserve.borrow_rate_ray),
        "supply_rate_percent": rate(reserve.supply_rate_ray),
        "supplied": amount(TokenAmount(token, reserve.supplied)),
        "available": amount(TokenAmount(token, reserve.available)),
        "total_debt": amount(TokenAmount(token, reserve.total_debt)),
        "supply_cap": _cap(settings.supply_cap, token),
        "borrow_cap": _cap(settings.borrow_cap, token),
        "ltv_percent": percent(settings.ltv),
        "liquidation_threshold_percent": percent(settings.liquidation_threshold),
        "takes_new_positions": settings.takes_new_positions,
        "lets_positions_end": settings.lets_positions_end,
    }


def _cap(whole: int, token: Token) -> dict[str, Any] | None:
    return amount(TokenAmount(token, whole * 10**token.decimals)) if whole else None


def _part(part: Part) -> dict[str, Any]:
    figures = (("value", part.value), ("all_points_at", part.good), ("no_points_at", part.bad))
    return {
        "name": part.name,
        "points": part.points,
        "weight": part.weight,
        **dict(_figure(name, value, part.unit) for name, value in figures),
        "why": part.why,
    }


def _maybe_usd(value: Usd8 | None) -> str | None:
    return None if value is None else usd(value)


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()
