"""Compares the ledger's rows of finished deals with what the chain's own events say of them.

Imports nothing from `holdfast`: the rows are read by SQL, the events by `witness`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import psycopg

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tests.support.witness import Observed, Places

Totals: TypeAlias = "Mapping[tuple[str, str], int]"
"""The balance of each (account, token), in base units; a debit is positive."""

_DEALS = """
    SELECT d.deal_id::text, lower(p.plan #>> '{envelope,accounts,deal}'), d.status, d.version
    FROM deals d JOIN plans p ON p.plan_hash = d.plan_hash
    WHERE d.status NOT IN ('draft', 'planned', 'awaiting_approval')
    ORDER BY d.deal_number
"""
_TOTALS = """
    SELECT deal_id::text, account, symbol, sum(units) FROM ledger_postings
    GROUP BY deal_id, account, symbol
"""


@dataclass(frozen=True)
class DealRow:
    """A deal that was approved, as the database has it."""

    deal_id: str
    account: str
    status: str
    version: int


def deal_rows(libpq_url: str) -> list[DealRow]:
    """Every deal that was ever approved, oldest first."""
    with psycopg.connect(libpq_url) as connection:
        return [DealRow(*row) for row in connection.execute(_DEALS).fetchall()]


def ledger_totals(libpq_url: str) -> dict[str, dict[tuple[str, str], int]]:
    """The balances of every account of every deal."""
    totals: dict[str, dict[tuple[str, str], int]] = {}
    with psycopg.connect(libpq_url) as connection:
        for deal_id, account, symbol, units in connection.execute(_TOTALS).fetchall():
            totals.setdefault(deal_id, {})[account, symbol] = int(units)
    return totals


def due_totals(places: Places, seen: Observed) -> dict[tuple[str, str], int]:
    """What the ledger of a deal that is over must say; every other account must be at zero."""
    wrapped = seen.total("wrap") - seen.total("unwrap")
    return {
        ("equity/treasury_contributed", "ETH"): -seen.total("fund") - seen.gas_wei[places.float_],
        ("equity/treasury_returned", "ETH"): seen.total("return_native"),
        ("equity/treasury_returned", "USDT"): seen.total("return_token"),
        ("income/supply_interest", "WETH"): seen.total("supply") - seen.total("withdraw"),
        ("expense/borrow_interest", "USDT"): seen.total("repay") - seen.total("borrow"),
        ("expense/gas", "ETH"): seen.gas_wei.total(),
        ("trade/wrap", "ETH"): wrapped,
        ("trade/wrap", "WETH"): -wrapped,
        ("trade/purchase", "USDT"): seen.total("swap"),
        ("trade/purchase", "USDTz"): -seen.bought,
        ("trade/redemption", "USDT"): -seen.paid_out,
        ("trade/redemption", "USDTz"): seen.total("claim_redemption"),
    }


def mismatches(ledger: Totals, due: Totals) -> dict[tuple[str, str], int]:
    """By how many base units each account differs from what is due; only those that differ."""
    keys: Iterable[tuple[str, str]] = Counter(ledger.keys()) | Counter(due.keys())
    apart = {key: ledger.get(key, 0) - due.get(key, 0) for key in keys}
    return {key: units for key, units in apart.items() if units}
