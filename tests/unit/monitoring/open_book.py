"""An open book of plain values: the $10M deal of the planning tests, as large as a test wants."""

from dataclasses import replace
from types import SimpleNamespace

from holdfast.chain.receipts import Head
from holdfast.common.ids import new_deal_id
from holdfast.common.money import RAY, USD8, WAD, Bps, Usd8
from holdfast.execution.book import Book
from holdfast.execution.book_rows import BookRow
from holdfast.execution.breaches import Exposure
from holdfast.execution.observation import CoreSeen
from holdfast.model.deal import DealStatus
from holdfast.risk.limits import RiskLimits
from holdfast.risk.model import Position as Sheet
from holdfast.risk.model import Stress
from holdfast.risk.scenarios import Exposed
from tests.unit.execution.scene import AT, GWEI, PARENT, deal, position

LIMITS = RiskLimits()
STRESS = Stress(Bps(5_000), Bps(100), 6 * RAY // 100, 90, Usd8(20_000 * USD8))
ETH = Usd8(2_000 * USD8)
CORE_WEI = 2_500 * WAD


def row(*, number=7, debt=600_000, collateral=3_000_000, reserve=2_000_000, allowances=0, **more):
    """One deal, amounts in dollars: debt, collateral and bucket ETH; $600,000 spent on tokens."""
    changes = {
        "cash": 0,
        "token_cost": 600_000,
        "token_market": 600_000,
        "queued": 0,
        "claimable": 0,
        "missing": 0,
    }
    changes |= more
    sheet = Sheet(
        core=Usd8(5_000_000 * USD8),
        collateral=Usd8(collateral * USD8),
        reserve_eth=Usd8(reserve * USD8),
        cash=Usd8(changes["cash"] * USD8),
        debt=Usd8(debt * USD8),
        token_cost=Usd8(changes["token_cost"] * USD8),
        token_market=Usd8(changes["token_market"] * USD8),
    )
    record = replace(
        deal(status=changes.get("status", DealStatus.EXECUTING)),
        deal_id=new_deal_id(),
        deal_number=number,
        group_id=changes.get("group_id"),
        hold_reason=changes.get("hold_reason"),
    )
    held = position(
        native=reserve * WAD // 2_000,
        collateral=collateral * WAD // 2_000,
        cash=changes["cash"] * 10**6,
        debt=debt * 10**6,
        queued=changes["queued"] * 10**6,
        claimable=changes["claimable"] * 10**6,
    )
    return BookRow(
        deal=record,
        allowances=allowances,
        core=CoreSeen(changes.get("core_wei", 10 * CORE_WEI), 0, Usd8(0), Usd8(0)),
        exposure=Exposure(held, ETH, Usd8(USD8), 6, 4 * RAY // 100, Bps(8_300)),
        exposed=Exposed(sheet, STRESS, Bps(8_300), Usd8(0), Usd8(0), Usd8(0)),
        missing=changes["missing"],
    )


def market_of(*, is_price_stale=False):
    """What all deals of the book share."""
    return SimpleNamespace(
        eth_price=ETH,
        cash_price=Usd8(USD8),
        token_price=Usd8(60_000_000),
        is_price_stale=lambda limits: is_price_stale,
    )


def book(*rows):
    return Book(Head(AT, PARENT, GWEI, 30_000_000, 0), market_of(), rows)
