"""A replay as JSON values: what happened in figures, every action, and the path hour by hour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdfast.common.money import BPS, WAD, mul_div
from holdfast.planning.json_values import Json, percent, ratio, usd
from holdfast.risk.price_series import moment
from holdfast.risk.replay_model import ActionKind

if TYPE_CHECKING:
    from holdfast.risk.limits import RiskLimits
    from holdfast.risk.replay_model import Action, Hour, Replay

_HOUR = 3_600


@dataclass(frozen=True, slots=True)
class Played:
    """One stretch of history, with the desk acting and with nobody acting.

    `gaps` are the stretches that the price file says nothing about.
    """

    name: str
    attended: Replay
    unattended: Replay
    gaps: tuple[str, ...]


def replay_view(played: Played, limits: RiskLimits, *, with_path: bool = True) -> Json:
    """The whole replay; `hours` is the path of the deal that was attended, if it is wanted."""
    run, left = played.attended, played.unattended
    return {
        "name": played.name,
        "opened_at": moment(run.opened_at),
        "ended_at": moment(run.hours[-1].start + run.interval),
        "interval_seconds": run.interval,
        "gaps": list(played.gaps),
        "eth": _eth(run),
        "max_ltv_percent": percent(run.max_ltv),
        "min_health_factor": ratio(run.min_health_wad),
        "min_debt_cover": ratio(run.min_cover_wad),
        "hours_over_warning": _hours(run.seconds_warned(limits.warn_ltv)),
        "hours_cover_under_warning": _hours(run.seconds_thin(limits.warn_cover_wad)),
        "first_warning_after_hours": _after(run, run.first(ActionKind.WARNED)),
        "unattended": {
            "max_ltv_percent": percent(left.max_ltv),
            "min_health_factor": ratio(left.min_health_wad),
            "min_debt_cover": ratio(left.min_cover_wad),
            "hours_over_warning": _hours(left.seconds_warned(limits.warn_ltv)),
            "liquidated": left.first(ActionKind.LIQUIDATED) is not None,
        },
        "principal_whole": run.result.principal_whole,
        "pnl": _pnl(run),
        "actions": [_action(one, run) for one in run.actions],
        "hours": [_hour(one) for one in run.hours] if with_path else [],
    }


def _eth(run: Replay) -> Json:
    opening, lowest = run.hours[0].close, min(hour.low for hour in run.hours[1:])
    return {
        "opening_usd": usd(opening),
        "lowest_usd": usd(lowest),
        "closing_usd": usd(run.hours[-1].close),
        "fall_percent": percent(max(0, BPS - mul_div(lowest, BPS, opening))),
        "largest_jump_percent": percent(largest_jump(run)),
    }


def largest_jump(run: Replay) -> int:
    """The deepest fall from one close to the next low, in bps: what one blind interval cost."""
    hours = run.hours
    falls = (
        BPS - mul_div(hours[index].low, BPS, hours[index - 1].close)
        for index in range(1, len(hours))
    )
    return max(0, *falls)


def _pnl(run: Replay) -> Json:
    """Dollars at the last close; `against_untraded` is `token` less all the costs under it."""
    result, price = run.result, run.hours[-1].close
    return {
        "nav_usd": usd(result.nav),
        "change_usd": usd(result.nav - run.deal.committed),
        "untraded_usd": usd(result.untraded),
        "against_untraded_usd": usd(result.against_untraded),
        "against_untraded_eth": _eth_amount(result.against_untraded * WAD // price),
        "token_usd": usd(result.token),
        "opening_cost_usd": usd(result.opening_cost),
        "interest_usd": usd(result.interest),
        "exit_cost_usd": usd(result.exit_cost),
        "penalty_usd": usd(result.penalty),
        "gas_usd": usd(result.gas),
        "forgone_on_eth_sold_usd": usd(result.forgone),
        "loss_if_token_fails_usd": usd(result.loss_if_token_fails),
        "bound_usd": usd(result.bound),
    }


def _action(action: Action, run: Replay) -> Json:
    return {
        "at": moment(action.at),
        "after_hours": _after(run, action),
        "kind": str(action.kind),
        "eth_usd": usd(action.price),
        "ltv_before_percent": percent(action.ltv_before),
        "ltv_after_percent": percent(action.ltv_after),
        "cover_before": ratio(action.cover_before),
        "cover_after": ratio(action.cover_after),
        "repaid_usd": usd(action.repaid),
        "sold_eth": _eth_amount(action.sold_wei),
        "seized_eth": _eth_amount(action.seized_wei),
    }


def _hour(hour: Hour) -> Json:
    return {
        "at": moment(hour.start),
        "low_usd": usd(hour.low),
        "close_usd": usd(hour.close),
        "ltv_percent": percent(hour.ltv),
        "health_factor": ratio(hour.health_wad),
        "debt_cover": ratio(hour.cover_wad),
        "debt_usd": usd(hour.debt),
        "cash_usd": usd(hour.cash),
        "bucket_eth": _eth_amount(hour.bucket_wei),
        "nav_usd": usd(hour.nav),
    }


def _after(run: Replay, action: Action | None) -> float | None:
    return None if action is None else _hours(action.at - run.opened_at)


def _hours(seconds: int) -> float:
    return round(seconds / _HOUR, 2)


def _eth_amount(wei: int) -> str:
    """ETH, rounded down to eight digits."""
    return usd(wei // 10**10)
