"""What the ether that a deal sold was worth when each sale was decided on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

from holdfast.common.money import Usd8
from holdfast.ledger.model import Account

if TYPE_CHECKING:
    from holdfast.common.db import Session
    from holdfast.common.ids import DealId

# A reversal has its entry's leg; neither counts.
_SALES = text("""
    SELECT sum(trunc(p.units * (s.venues->>'eth_price_usd8')::numeric / 10::numeric ^ p.decimals))
      AS worth, bool_and(s.venues->>'eth_price_usd8' IS NOT NULL) AS is_known
    FROM ledger_postings p JOIN ledger_entries e USING (entry_id)
      LEFT JOIN legs l ON l.leg_id = e.leg_id
      LEFT JOIN deal_snapshots s ON s.group_id = l.group_id
    WHERE p.deal_id = :deal AND p.account = :account AND p.symbol = :symbol
      AND e.reverses IS NULL
      AND NOT EXISTS (SELECT 1 FROM ledger_entries r WHERE r.reverses = e.entry_id)
""")


async def worth_when_sold(session: Session, deal_id: DealId, symbol: str) -> Usd8 | None:
    """The oracle's value of all `symbol` that the deal sold, each at the block of its decision.

    None where there was no sale, or the price of one was not kept.
    """
    asked = {"deal": deal_id, "account": str(Account.TRADE_ETH), "symbol": symbol}
    row = (await session.execute(_SALES, asked)).one()
    return Usd8(int(row.worth)) if row.is_known and row.worth is not None else None
