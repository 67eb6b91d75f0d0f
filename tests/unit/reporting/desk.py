"""A desk as reports see it: one deal that owes, one that is done, and what was said of them."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from holdfast.common.money import USD8, Usd8
from holdfast.reporting.facts import (
    ActRow,
    AlertRow,
    DealRow,
    Facts,
    Holding,
    PriceRow,
    ReconciliationRow,
    Span,
)

START = datetime(2026, 3, 1, tzinfo=UTC)
END = START + timedelta(days=1)
OPEN, DONE = UUID(int=1), UUID(int=2)


def dollars(whole):
    return Usd8(whole * USD8)


def deal(deal_id=OPEN, **change):
    made = {
        "deal_id": deal_id,
        "number": deal_id.int,
        "chain_id": 138,
        "bank": "BANK001",
        "module": "MODULE001",
        "author": "alice",
        "status": "executing",
        "hold_reason": None,
        "committed": dollars(10_000_000),
        "ltv_bps": 2_000,
        "profit": None,
        "token_cost": Usd8(60_000_000),
        "created_at": START,
        "updated_at": START + timedelta(hours=2),
    }
    return DealRow(**{**made, **change})


def holding(account, symbol, whole, decimals=18, **change):
    made = {"deal_id": OPEN, "chain_id": 138, "bank": "BANK001"}
    owner = {**made, **change}
    return Holding(
        **owner,
        account=account,
        symbol=symbol,
        decimals=decimals,
        units=whole * 10**decimals,
    )


# at $2,000: core 5M, collateral 3M, bucket 2M, debt 600k, a million tokens at 0.60
HOLDINGS = (
    holding("asset/core", "ETH", 2_500),
    holding("asset/aave_collateral", "WETH", 1_500),
    holding("asset/deal_wallet", "ETH", 1_000),
    holding("asset/deal_wallet", "USDTz", 400_000, 6),
    holding("asset/redemption_queue", "USDTz", 600_000, 6),
    holding("liability/aave_debt", "USDT", -600_000, 6),
)


def alert(**change):
    made = {
        "code": "deal.holding",
        "severity": "warning",
        "subject": str(OPEN),
        "text": "the deal holds <now>",
        "deal_id": OPEN,
        "count": 1,
        "opened_at": START + timedelta(hours=1),
        "delivered_at": START + timedelta(hours=1, seconds=3),
        "acknowledged_by": None,
        "acknowledged_at": None,
        "resolved_at": None,
    }
    return AlertRow(**{**made, **change})


def act(action="deal.approve", actor="bob", **change):
    made = {"deal_id": OPEN, "bank": "BANK001", "subject": str(OPEN)}
    return ActRow(at=START + timedelta(hours=2), actor=actor, action=action, **{**made, **change})


def facts(**change):
    made = {
        "span": Span(START, END),
        "made_at": END,
        "deals": (deal(), deal(DONE, status="completed", profit=dollars(370_000), ltv_bps=0)),
        "holdings": HOLDINGS,
        "alerts": (alert(),),
        "acts": (act("deal.planned", "alice"), act()),
        "reconciliations": (ReconciliationRow(OPEN, 7, END - timedelta(hours=3), 0),),
        "prices": (PriceRow(138, END - timedelta(hours=5), dollars(2_000), dollars(1)),),
    }
    return Facts(**{**made, **change})
