"""What ETH has lost on its worst days, and what that would be of what the desk holds; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.reporting.report_charts import losses
from holdfast.reporting.tables import Column, Kind, Table, shown
from holdfast.reporting.valuation import net_ether, valued
from holdfast.risk.history import (
    LEVEL,
    MOST_EXCEEDED,
    WINDOW,
    backtest_ewma,
    backtest_historical,
    log_returns,
    tail,
    yearly_volatility,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.reporting.facts import Facts
    from holdfast.risk.history import Backtest

_COLUMNS = (
    Column("measure", Kind.TEXT, "what is measured", on_page=False),
    Column("figure", Kind.TEXT, "the same for people"),
    Column("value", Kind.NUMBER, "its value; money in dollars, shares in parts", on_page=False),
    Column("shown", Kind.TEXT, "the value for people"),
    Column("means", Kind.TEXT, "how it is computed"),
)
_NO_HISTORY = (
    "No price history: give a file of daily prices with --prices or HOLDFAST_PRICE_HISTORY."
)


def market_risk(facts: Facts) -> Table:
    """VaR, ES and their backtests over the daily prices given, and in dollars of the desk's ETH."""
    if not facts.daily_closes:
        return Table("market_risk", "Market risk", _COLUMNS, (), _NO_HISTORY)
    returns = log_returns(facts.daily_closes)
    found = tail(returns)
    held = net_ether(valued(facts)) / 10**8
    own, normal = backtest_historical(returns), backtest_ewma(returns)
    rows = (
        ("days", "days", *_count(found.days), "daily log returns of ETH that are looked back on"),
        (
            "var_97_5",
            "VaR 97.5 %",
            *_share(found.var),
            "historical: not exceeded on 97.5 % of days",
        ),
        ("es_97_5", "ES 97.5 %", *_share(found.shortfall), "historical: mean loss from the VaR on"),
        ("eth_held_usd", "ETH held", *_usd(held), "all ETH of open deals, the core included"),
        ("var_97_5_usd", "VaR 97.5 %", *_usd(held * found.var), "of the ETH held, in a day"),
        ("es_97_5_usd", "ES 97.5 %", *_usd(held * found.shortfall), "of the ETH held, in a day"),
        ("volatility", "volatility", *_share(yearly_volatility(returns)), "EWMA 0.94, a year"),
        *_backtest("var_97_5", "VaR 97.5 %", own, f"against the {WINDOW} days before each"),
        (
            "var_97_5_exceeded_lately",
            "VaR 97.5 % exceeded lately",
            *_count(own.lately),
            f"of the last {WINDOW} days; over {MOST_EXCEEDED} a model is not trusted (MAR32.18)",
        ),
        *_backtest("ewma_var_99", "EWMA VaR 99 %", normal, "of a normal; it understates"),
    )
    chart = losses(
        "Daily return of ETH, percent",
        [float(value) * 100 for value in returns],
        {"VaR 97.5 %": -found.var * 100, "ES 97.5 %": -found.shortfall * 100},
    )
    note = f"One day, {LEVEL:.1%}. The deal's own bound is not this: principal is kept in ETH."
    return Table("market_risk", "Market risk", _COLUMNS, rows, note, chart)


def _backtest(
    name: str, figure: str, found: Backtest, means: str
) -> Sequence[tuple[str, str, float, str, str]]:
    exceeded = f"{figure} exceeded"
    return (
        (
            f"{name}_exceeded",
            exceeded,
            *_count(found.exceeded),
            f"days of {found.days:,}, {means}",
        ),
        (
            f"{name}_expected",
            f"{exceeded}, expected",
            found.expected,
            f"{found.expected:.1f}",
            "days, of a right VaR",
        ),
        (
            f"{name}_exceeded_rate",
            f"{exceeded}, rate",
            *_share(found.rate),
            f"right is {1 - found.level:.1%}",
        ),
    )


def _count(value: int) -> tuple[float, str]:
    return float(value), f"{value:,}"


def _share(value: float) -> tuple[float, str]:
    return value, f"{value:.2%}"


def _usd(value: float) -> tuple[float, str]:
    return value, shown(round(value * 10**8), Kind.USD)
