"""A plan for people: the report as tables, the worst case first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from rich.console import Group
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table

from holdfast.entry.cli.plan_format import (
    amount,
    maybe_usd,
    short,
    table_of,
    usd,
    with_unit,
    words,
    yes_no,
)
from holdfast.entry.cli.plan_stress import book_with, scenarios

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import RenderableType

_OPEN: Final = {True: "[green]open[/]", False: "[bold yellow]shut[/]"}
_STEPS: Final = ("split", "liquidity", "purchase", "monetisation", "close")


def plan_view(report: Mapping[str, Any]) -> Group:
    """The whole report of a plan, as `planning.report` makes it, ready to print."""
    return Group(
        _worst_case(report["worst_case"]),
        *_warnings(report["warnings"]),
        _deal(report),
        *_gate(report),
        *_cures(report),
        _before_after(report["before"], report["after"]),
        _fundings(report["fundings"]),
        _quotes(report["quotes"]),
        _costs(report["costs"]),
        _legs(report["legs"]),
        scenarios(report),
        *book_with(report.get("book")),
        _checks(report["checks"]),
        f"[bold]plan hash[/]  {report['plan_hash']}",
    )


def _worst_case(worst: Mapping[str, Any]) -> Panel:
    rows = Table.grid(padding=(0, 2))
    rows.add_column(style="bold")
    rows.add_column()
    share = f"{worst['loss_percent_of_nav']} % of the ETH committed"
    rows.add_row("Loses at most", f"[bold red]{usd(worst['loss_usd'])}, {share}[/]")
    for part in ("theorem", "sale_for_the_debt", "emergency"):
        rows.add_row(f"  {words(part)}", usd(worst.get(f"{part}_usd")), style="dim")
    rows.add_row("Core and collateral whole", yes_no(is_good=worst["principal_whole"]))
    rows.add_row("as long as", escape(worst["holds_while"]))
    if "worst_scenario" in worst:  # plans of before have none
        dearest = worst["worst_scenario"]
        rows.add_row(
            "Dearest scenario", f"{usd(dearest['loss_usd'])}, {words(dearest['scenario'])}"
        )
    rows.add_row("One fall that breaks it", f"{worst['single_gap_that_breaks_percent']} %")
    failing = ", ".join(worst["scenarios_not_whole"]) or "none of the standard ones"
    rows.add_row("Scenarios not whole", escape(failing))
    rows.add_row("If unwinding fails, add", usd(worst["added_if_unwinding_fails_usd"]))
    for name, value in worst["not_included"].items():
        rows.add_row(words(name.removesuffix("_usd")), maybe_usd(name, value), style="dim")
    return Panel(rows, title="Worst case", border_style="red")


def _warnings(warnings: Sequence[Mapping[str, Any]]) -> list[RenderableType]:
    if not warnings:
        return []
    lines = [f"[bold]{one['code']}[/]  {escape(one['text'])}" for one in warnings]
    return [Panel("\n".join(lines), title="Warnings", border_style="yellow")]


def _gate(report: Mapping[str, Any]) -> list[RenderableType]:
    """Whether experience allows the purchase; plans made before there was a gate have none."""
    gate = report.get("gate")
    if gate is None:
        return []
    return [f"[bold]Redemption gate[/]  {_OPEN[gate['is_open']]}: {escape(gate['reason'])}"]


def _cures(report: Mapping[str, Any]) -> list[RenderableType]:
    """What the desk does by itself; plans without debt, and those of before, have none."""
    cures = report.get("cures")
    if cures is None:
        return []
    repay, convert, home = cures["repay"], cures["convert"], cures["goes_home_instead"]
    worse = f", or a fall by {home['when_a_fall_would_liquidate_percent']} % could liquidate"
    room = f"sells bucket ETH until cash pays all, and {convert['cash_room_percent']} % more"
    table = table_of("What the desk does by itself within this plan", "when", "from ETH", "what")
    for when, price, what in (
        (f"LTV {repay['at_ltv_percent']} %", repay, f"repays down to {repay['to_ltv_percent']} %"),
        (f"debt cover under {convert['under_debt_cover']}", convert, room),
        (f"debt cover under {home['under_debt_cover']}{worse}", home, "holds, repays, goes home"),
    ):
        table.add_row(when, usd(price.get("from_eth_price_usd")), what)
    most, deep = (
        cures[f"{when}_percent_under_oracle"] for when in ("sells_at_most", "in_an_emergency")
    )
    table.caption = (
        f"sells at most {most} % under the oracle, in an emergency {deep} %; adds no risk"
    )
    return [table]


def _deal(report: Mapping[str, Any]) -> Table:
    request, terms = report["request"], report["terms"]
    title = f"{usd(request['total_eth_value_usd'])} in {request['funding']} funding"
    table = table_of(title, "part", "amount", "dollars", "share")
    for name, part in report["split"].items():
        table.add_row(name, amount(part), usd(part["usd"]), f"{part['percent']} %")
    for name in ("borrow", "bucket_sale", "spend", "min_tokens", "gas_reserve"):
        table.add_row(words(name), amount(terms[name]), "", "")
    if terms.get("lots"):  # plans made before there were lots have none
        spent = " + ".join(short(lot["amount"]) for lot in terms["lots"])
        table.add_row("bought in", spent, "", "")
    rungs = " + ".join(short(rung["amount"]) for rung in terms["tranches"])
    table.add_row("redeemed in", rungs, "", "")
    block, prices = report["block"], report["prices"]
    table.caption = (
        f"chain {request['chain_id']}, block {block['number']}, ETH {usd(prices['eth_usd'])}, "
        f"USDT {usd(prices['usdt_usd'])}"
    )
    return table


def _before_after(before: Mapping[str, Any], after: Mapping[str, Any]) -> Table:
    table = table_of("Before and after the purchase", "", "before", "after")
    for name, value in after.items():
        unit = " %" if name.endswith("_percent") else ""
        label = words(name.removesuffix("_percent"))
        table.add_row(label, with_unit(before[name], unit), with_unit(value, unit))
    return table


def _fundings(rows: Sequence[Mapping[str, Any]]) -> Table:
    heads = [
        f"{row['funding']} at {row['opening_ltv_percent']} %{' *' if row['is_chosen'] else ''}"
        for row in rows
    ]
    table = table_of("Fundings side by side (* this plan)", "", *heads)
    for label, name in (
        ("borrowed", "borrow"),
        ("spent on the token", "spend"),
        ("ETH of the bucket sold", "bucket_sale"),
    ):
        table.add_row(label, *(amount(row[name]) for row in rows))
    table.add_row("debt cover", *(with_unit(row["debt_cover"], "") for row in rows))
    for label, name in (
        ("worst-case loss", "worst_case_loss_usd"),
        ("profit if all is redeemed", "profit_if_redeemed_usd"),
        ("interest of the loan", "loan_interest_usd"),
        ("the loan changes profit by", "loan_changes_profit_by_usd"),
    ):
        table.add_row(label, *(usd(row[name]) for row in rows))
    for label, name in (
        ("simple return", "simple_return_percent"),
        ("break-even success", "break_even_success_percent"),
        ("exposure of freeze NAV", "exposure_freeze_nav_percent"),
    ):
        table.add_row(label, *(with_unit(row[name], " %") for row in rows))
    table.add_row("broken rules", *(_codes(row["violations"]) for row in rows))
    return table


def _quotes(quotes: Mapping[str, Any]) -> Table:
    table = table_of("Quotes", "", "pays", "gets", "impact", "fee", "moves the price 1 %")
    for name in ("purchase", "bucket_sale"):
        quote = quotes[name]
        if quote is None:
            continue
        table.add_row(
            words(name),
            amount(quote["pays"]),
            amount(quote["gets"]),
            f"{quote['price_impact_percent']} %",
            f"{quote['pool_fee_percent']} %",
            amount(quote["depth_one_percent"]),
        )
    rates, desk = quotes["borrow_rate_percent"], quotes["redemption"]
    table.caption = (
        f"borrowing {rates['now']} % now, {rates['after_the_loan']} % after the loan, "
        f"{rates['stressed']} % under stress; redemption fee {desk['fee_percent']} %, "
        f"queue {desk['queue_delay_seconds']} s"
    )
    return table


def _costs(costs: Mapping[str, Any]) -> Table:
    table = table_of("Costs", "", "dollars")
    for name, value in costs.items():
        table.add_row(words(name.removesuffix("_usd")), usd(value))
    return table


def _legs(legs: Sequence[Mapping[str, Any]]) -> Table:
    table = Table("step", "kind", "call", title="Legs", title_justify="left")
    for leg in legs:
        step = f"{leg['step']} {_STEPS[leg['step']]}"
        style = "dim" if leg["only_if_needed"] else None
        kind = f"{words(leg['kind'])}{' (if needed)' if leg['only_if_needed'] else ''}"
        table.add_row(step, kind, escape(leg["call"]), style=style)
    return table


def _checks(checks: Sequence[Mapping[str, Any]]) -> Table:
    table = table_of("Rules", "rule", "value", "limit", "kept")
    for check in checks:
        kept = "[yellow]warned[/]" if _is_warned(check) else yes_no(is_good=check["ok"])
        table.add_row(check["code"], check["value_text"], check["limit_text"], kept)
    return table


def _is_warned(check: Mapping[str, Any]) -> bool:
    return not check["ok"] and check["severity"] == "warn"


def _codes(violations: Sequence[Mapping[str, Any]]) -> str:
    return "\n".join(one["code"] for one in violations) or "none"
