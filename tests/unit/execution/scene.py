"""The $10M deal of the planning tests as records, with what is seen of it, all plain values."""

from dataclasses import replace
from datetime import UTC, datetime

from holdfast.chain.receipts import Head
from holdfast.common.evm import BlockRef, Receipt, block_hash, tx_hash
from holdfast.common.ids import new_deal_id, new_group_id, new_intent_id, new_leg_id
from holdfast.common.money import RAY, USD8, Bps, Usd8
from holdfast.execution.calls import DealCalls, DealTokens
from holdfast.execution.model import Position, Venues
from holdfast.execution.observation import CoreSeen, Seen
from holdfast.execution.records import LegRecord
from holdfast.ledger.model import TokenBook
from holdfast.ledger.ports import ChainBalances, Indexes
from holdfast.model.deal import Funding, Step
from holdfast.model.leg import Call, LegKind, LegStatus
from holdfast.model.plan import Plan
from holdfast.planning.draft import draft
from holdfast.planning.envelope import envelope
from holdfast.planning.together import stressed_together
from holdfast.risk.invariants import Prices
from holdfast.signing.model import Fees
from holdfast.transactions.model import IntentOutcome, IntentStatus
from tests.support.walk import record_of
from tests.unit.planning import world as market

GWEI = 10**9
NOW = datetime(2026, 1, 1, tzinfo=UTC)
TOKENS = DealTokens(market.ETH, market.WETH, market.USDT, market.USDTZ)
BOOK = TokenBook(market.ETH, market.WETH, market.USDT, market.USDTZ)
CALLS = DealCalls(market.VENUES, TOKENS, market.ACCOUNTS)
AT = BlockRef(90, block_hash("0x" + "ab" * 32), 1_800_000_000)
PARENT = block_hash("0x" + "aa" * 32)
FEES = Fees(2 * GWEI, GWEI)
HOMEWARD_FEES = Fees(4 * GWEI, GWEI)
ALL_BALANCES = (
    "native", "weth", "cash", "tokens", "collateral", "debt", "queued", "claimable",
)  # fmt: skip


def plan(funding=Funding.BORROW, accounts=market.ACCOUNTS, **asked):
    """A plan on the planning tests' market; its report is beside the point here."""
    request = market.asking(funding=funding, **asked)
    setting = market.setting(request, market.World(), accounts=accounts)
    made = draft(request, setting)
    book = stressed_together(made, (), setting)
    return Plan(envelope(made, setting, book), setting.market.at, {"made": "here"})


PLANS = {funding: plan(funding) for funding in Funding}


def deal(funding=Funding.BORROW, **changes):
    return record_of(PLANS[funding], **changes)


def position(**changes):
    return Position(**{**dict.fromkeys(ALL_BALANCES, 0), "at": AT, **changes})


def venues(**changes):
    usual = {
        "redemption_frozen": False,
        "desk_cash": 10**13,
        "queue_delay_seconds": 0,
        "can_borrow": True,
        "transfer_fee_wei": 21_000 * FEES.cap_wei,
    }
    return Venues(**{**usual, **changes})


def seen(at=AT, *, venue_changes=None, core=10**24, gas=0, deal_nonce=0, **held):
    """What is seen of a deal; keywords are balances of its position.

    `gas` is 1 above the plan's ceiling, 2 above that of an emergency too.
    """
    where = position(**{"at": at, **held})
    return Seen(
        head=Head(at, PARENT, GWEI, 30_000_000, 0),
        position=where,
        venues=venues(**(venue_changes or {})),
        balances=ChainBalances(
            at=at,
            native=where.native,
            weth=where.weth,
            usdt=where.cash,
            usdtz=where.tokens,
            collateral=where.collateral,
            debt=where.debt,
            queued=where.queued + where.claimable,
            core=core,
        ),
        indexes=Indexes(at, RAY, RAY),
        eth_price=Usd8(2_000 * USD8),
        cash_price=Usd8(USD8),
        token_price=Usd8(USD8 * 6 // 10),
        redemption_fee=Bps(25),
        prices=Prices(0, 0, Bps(0)),
        ltv_bps=0,
        borrow_rate=4 * RAY // 100,
        fees=FEES,
        deal_nonce=deal_nonce,
        float_nonce=0,
        core=CoreSeen(core, allowances=0, debt=Usd8(0), collateral=Usd8(0)),
        float_wei=10**24,
        liquidation_threshold=8_300,
        gas_is_too_dear=gas > 0,
        homeward_fees=HOMEWARD_FEES,
        gas_stops_all=gas > 1,
    )


def leg(kind=LegKind.SUPPLY, step=Step.LIQUIDITY, status=LegStatus.LANDED, **changes):
    """A leg as its row would be read back."""
    usual = LegRecord(
        leg_id=new_leg_id(),
        group_id=new_group_id(),
        step=step,
        seq=0,
        kind=kind,
        label=f"{kind} something",
        status=status,
        sender=market.DEAL,
        recipient=market.DEAL,
        call=Call(market.AAVE, b"\x01\x02\x03\x04"),
        token=TOKENS.weth.symbol,
        amount=1,
        min_out_token=None,
        min_out=None,
        gas_limit=100_000,
        deadline=None,
        tx_hash=None,
        block_number=None,
        gas_used=None,
        fee_wei=None,
    )
    return replace(usual, **changes)


def receipt(block=91, *, succeeded=True, gas_used=50_000):
    ref = BlockRef(block, block_hash("0x" + "cd" * 32), 1_800_000_012)
    return Receipt(
        tx_hash=tx_hash("0x" + f"{block:064x}"),
        block=ref,
        sender=market.DEAL,
        succeeded=succeeded,
        gas_used=gas_used,
        effective_gas_price_wei=GWEI,
        logs=(),
    )


def outcome(of, status=IntentStatus.LANDED, mined=None):
    return IntentOutcome(
        intent_id=new_intent_id(),
        leg_id=of.leg_id,
        group_id=of.group_id,
        deal_id=new_deal_id(),
        status=status,
        nonce=0,
        tx_hash="0x",
        receipt=mined,
        evidence={},
    )
