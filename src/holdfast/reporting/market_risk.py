"""What ETH has lost on its worst days, and what that would be of what the desk holds; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from holdfast.common.money import BPS, USD8
from holdfast.reporting.report_charts import losses
from holdfast.reporting.tables import Column, Figure, Kind, Table
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

    from holdfast.common.money import Usd8
    from holdfast.reporting.facts import Facts
    from holdfast.risk.history import Backtest, Floats, Tail

_COLUMNS = (
    Column("measure", Kind.TEXT, "what is measured", on_page=False),
    Column("figure", Kind.TEXT, "the same for people"),
    Column("value", Kind.FIGURE, "its value; money to the cent, shares in percent"),
    Column("kind", Kind.TEXT, "what the value is: count, usd, percent, number", on_page=False),
    Column("means", Kind.TEXT, "how it is computed"),
)
_NO_HISTORY = (
    "No price history: give a file of daily prices with --prices or HOLDFAST_PRICE_HISTORY."
)

_CENT = USD8 // 100

_Figured: TypeAlias = "tuple[str, str, Figure, str]"
"""A row but for the figure's kind: what is measured, for people, its value, how."""


def market_risk(facts: Facts) -> Table:
    """VaR, ES and their backtests over the daily prices given, and in dollars of the desk's ETH."""
    if not facts.daily_closes:
        return Table("market_risk", "Market risk", _COLUMNS, (), _NO_HISTORY)
    returns = log_returns(facts.daily_closes)
    found = tail(returns)
    figures = _figures(returns, found, net_ether(valued(facts)))
    rows = tuple(
        (measure, name, value, str(value.kind), means) for measure, name, value, means in figures
    )
    chart = losses(
        "Daily return of ETH, percent",
        [float(value) * 100 for value in returns],
        {"VaR 97.5 %": -found.var * 100, "ES 97.5 %": -found.shortfall * 100},
    )
    note = f"One day, {LEVEL:.1%}. The deal's own bound is not this: principal is kept in ETH."
    return Table("market_risk", "Market risk", _COLUMNS, rows, note, chart)


def _figures(returns: Floats, found: Tail, held: Usd8) -> Sequence[_Figured]:
    own, normal = backtest_historical(returns), backtest_ewma(returns)
    return (
        ("days", "days", _count(found.days), "daily log returns of ETH that are looked back on"),
        ("var_97_5", "VaR 97.5 %", _share(found.var), "historical: not exceeded on 97.5 % of days"),
        ("es_97_5", "ES 97.5 %", _share(found.shortfall), "historical: mean loss from the VaR on"),
        ("eth_held_usd", "ETH held", Figure(held, Kind.USD), "all of open deals, core included"),
        ("var_97_5_usd", "VaR 97.5 %", _part(held, found.var), "of the ETH held, in a day"),
        ("es_97_5_usd", "ES 97.5 %", _part(held, found.shortfall), "of the ETH held, in a day"),
        ("volatility", "volatility", _share(yearly_volatility(returns)), "EWMA 0.94, a year"),
        *_backtest("var_97_5", "VaR 97.5 %", own, f"against the {WINDOW} days before each"),
        (
            "var_97_5_exceeded_lately",
            "VaR 97.5 % exceeded lately",
            _count(own.lately),
            f"of the last {WINDOW} days; over {MOST_EXCEEDED} a model is not trusted (MAR32.18)",
        ),
        *_backtest("ewma_var_99", "EWMA VaR 99 %", normal, "of a normal; it understates"),
    )


def _backtest(name: str, figure: str, found: Backtest, means: str) -> Sequence[_Figured]:
    exceeded = f"{figure} exceeded"
    expected = Figure(found.expected, Kind.NUMBER)
    return (
        (f"{name}_exceeded", exceeded, _count(found.exceeded), f"days of {found.days:,}, {means}"),
        (f"{name}_expected", f"{exceeded}, expected", expected, "days, of a right VaR"),
        (
            f"{name}_exceeded_rate",
            f"{exceeded}, rate",
            _share(found.rate),
            f"right is {1 - found.level:.1%}",
        ),
    )


def _count(value: int) -> Figure:
    return Figure(value, Kind.COUNT)


def _share(value: float) -> Figure:
    return Figure(round(value * BPS), Kind.PERCENT)


def _part(held: Usd8, share: float) -> Figure:
    """A share of the dollars held, to the cent: analytics, and no better known than that."""
    return Figure(round(held * share / _CENT) * _CENT, Kind.USD)
