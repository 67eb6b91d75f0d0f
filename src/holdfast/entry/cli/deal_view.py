"""A deal for people: tables from the same document that --json prints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Console

from holdfast.entry.cli.plain import PipedConsole, plain_console, whole_table
from holdfast.entry.cli.plan_view import plan_view
from holdfast.execution.model import WaitFor
from holdfast.model.deal import DealStatus
from holdfast.risk.trading import TradingState

if TYPE_CHECKING:
    from rich.table import Table


def show_changed(document: dict[str, Any]) -> None:
    """What an order changed, or would change."""
    word = "would go" if document["dry_run"] else "went"
    plain_console().print(
        f"Deal {document['deal_id']} {word} from {document['before']} to {document['after']}.",
        highlight=False,
    )
    if "plan_hash" in document:
        plain_console().print(f"Plan hash {document['plan_hash']}", highlight=False)
    if document["dry_run"]:
        named = " and the --plan-hash that you have looked at" if "plan_hash" in document else ""
        Console(stderr=True).print(f"Dry run: nothing was changed. Add --execute{named}.")


def show_deals(document: dict[str, Any]) -> None:
    """The list of deals."""
    table = whole_table(
        "Deals",
        "Deal",
        "Bank",
        "Status",
        "Waits for",
        "Value USD",
        "LTV",
        "Profit USD",
        "Since",
        key="Deal",
    )
    for deal in document["deals"]:
        table.add_row(
            deal["deal_id"],
            deal["participant_bank_id"],
            _status(deal),
            _waits_for(deal),
            _money(deal["total_eth_value_usd"]),
            _percent(deal["current_ltv_percent"]),
            _money(deal["profit_usd"]),
            deal["created_at"][:19],
        )
    plain_console().print(table)


def show_deal(document: dict[str, Any]) -> None:
    """One deal, whole."""
    console = plain_console()
    console.print(f"Deal {document['deal_id']}: {_status(document)}", highlight=False)
    if "plan_hash" in document:
        console.print(f"  plan hash {document['plan_hash']}", highlight=False)
    if document.get("waits_for"):
        console.print(f"  waits for {_waits_for(document)}{_stopped(document)}", highlight=False)
    if document.get("trouble_text"):
        trouble = document.get("trouble")
        times = f" (x{trouble['times']})" if trouble else ""
        console.print(f"  last trouble{times}: {document['trouble_text']}", highlight=False)
    if document["status"] == DealStatus.AWAITING_APPROVAL and "plan" in document:
        PipedConsole().print(plan_view(document["plan"]))  # what an approver is asked about
    if "legs" not in document:
        return
    console.print(_legs(document["legs"]))
    if "read_only" in document:
        console.print(f"Only what is stored: {document['read_only']['message']}")
        return
    console.print(_accounts(document["accounts"]))
    console.print(_invariants(document["invariants"]))
    console.print(_ledger(document["ledger"]))
    console.print(_pnl(document["pnl"]))


def _legs(legs: list[dict[str, Any]]) -> Table:
    table = whole_table("Legs", "Step", "Leg", "Status", "Block", "Gas", "Transaction")
    for leg in legs:
        table.add_row(
            str(leg["step"]),
            leg["label"],
            leg["status"],
            str(leg["block_number"] or ""),
            f"{leg['gas']:,}" if leg["gas"] else "",
            leg["tx_hash"] or "",
        )
    return table


def _accounts(accounts: list[dict[str, Any]]) -> Table:
    table = whole_table("Accounts on chain", "Account", "Address", "Holds")
    for account in accounts:
        held = [_held(balance) for balance in account["balances"] if balance["units"] != "0"]
        table.add_row(account["name"], account["address"], "\n".join(held) or "nothing")
    return table


def _invariants(rows: list[dict[str, Any]]) -> Table:
    table = whole_table("Invariants", "Code", "Holds", "Value", "Limit")
    for row in rows:
        verdict = "yes" if row["ok"] else "NO" if row["severity"] == "hard" else "warning"
        table.add_row(row["code"], verdict, row["value"], row["limit"])
    return table


def _ledger(ledger: dict[str, Any]) -> Table:
    block, mismatch = ledger["block"]["number"], ledger["mismatch_wei"]
    title = f"Ledger against chain at block {block}: mismatch {mismatch}"
    table = whole_table(title, "Account", "Token", "Ledger", "Chain")
    for line in ledger["lines"]:
        table.add_row(line["account"], line["token"], line["ledger_units"], line["chain_units"])
    return table


def _pnl(pnl: dict[str, Any]) -> Table:
    table = whole_table("Profit and loss", "Item", "Amount")
    for name in ("trading", "fees", "interest_paid", "usdt", "interest_earned", "gas", "eth"):
        table.add_row(name.replace("_", " "), f"{pnl[name]['amount']} {pnl[name]['token']}")
    table.add_row("total", f"${_money(pnl['total_usd'])}")
    if pnl["claim"]["tokens"]["units"] != "0":
        for name, what in (("tokens", "claim"), ("at_cost", "at cost"), ("at_market", "at market")):
            amount = pnl["claim"][name]
            table.add_row(what, f"{amount['amount']} {amount['token']}")
    sold = pnl["eth_sold"]
    if sold["sold"]["units"] != "0":
        table.add_row("ETH sold (shown apart)", f"{sold['sold']['amount']}")
        if sold.get("sale_cost_usd") is not None:
            table.add_row("cost of selling it", f"${_money(sold['sale_cost_usd'])}")
        table.add_row("upside forgone", f"${_money(sold['upside_forgone_usd'])}")
    return table


def _held(balance: dict[str, Any]) -> str:
    amount = balance["amount"]
    short = amount.rstrip("0").rstrip(".") if "." in amount else amount
    return f"{short} {balance['token']}"


def _status(deal: dict[str, Any]) -> str:
    reason = deal.get("hold_reason")
    return f"{deal['status']}: {reason}" if reason else str(deal["status"])


def _waits_for(deal: dict[str, Any]) -> str:
    return str(deal.get("waits_for") or "").replace("_", " ")


def _stopped(deal: dict[str, Any]) -> str:
    """Who stopped the desk and why, for a deal that waits for it."""
    trading = deal.get("trading")
    if deal["waits_for"] != WaitFor.TRADING or trading is None:
        return ""
    if trading["state"] == TradingState.ACTIVE:
        return ": the desk is active again, it goes on at its next look"
    return (
        f": {trading['state']} for {trading['scope']}, set by {trading['set_by']}: "
        f"{trading['reason']} (see `holdfast desk status`)"
    )


def _money(text: str | None) -> str:
    return "" if text is None else f"{float(text):,.2f}"


def _percent(value: str | None) -> str:
    return "" if value is None else f"{value} %"
