"""Records as JSON values: exact base units, and no float anywhere."""

import json
from datetime import UTC, datetime

import pytest

from holdfast.common.money import USD8, TokenAmount, Usd8
from holdfast.execution.model import Trouble
from holdfast.ledger.model import Account, Balances, Held
from holdfast.ledger.pnl import Marks, profit_and_loss
from holdfast.ledger.reconciliation import reconciled
from holdfast.model.deal import DealStatus, HoldReason
from holdfast.model.leg import LegKind
from holdfast.reporting.views import (
    deal_view,
    ledger_view,
    leg_view,
    money,
    pnl_view,
    step_view,
    trading_view,
    usd,
)
from holdfast.risk.trading import Trading
from tests.unit.execution.scene import BOOK, deal, leg, receipt, seen
from tests.unit.ledger import scene as books
from tests.unit.planning.world import AAVE, ETH, USDT


def has_float(value):
    if isinstance(value, dict):
        return any(map(has_float, value.values()))
    if isinstance(value, list):
        return any(map(has_float, value))
    return isinstance(value, float)


def test_a_state_that_nobody_ever_set_has_no_cause():
    assert trading_view(Trading()) == {
        "state": "active",
        "scope": None,
        "reason": None,
        "set_by": None,
        "since": None,
    }


@pytest.mark.parametrize(
    ("token", "units", "amount"),
    [
        (ETH, 1, "0.000000000000000001"),
        (ETH, 10**30 + 1, "1000000000000.000000000000000001"),
        (USDT, -1_500_000, "-1.500000"),
        (USDT, 0, "0.000000"),
    ],
)
def test_an_amount_is_shown_exactly(token, units, amount):
    assert money(TokenAmount(token, units)) == {
        "token": token.symbol,
        "units": str(units),
        "amount": amount,
    }


DOLLARS = {
    USD8: "1.00000000",
    -1: "-0.00000001",
    0: "0.00000000",
    10**17 + 1: "1000000000.00000001",
}


@pytest.mark.parametrize(("value", "text"), DOLLARS.items())
def test_dollars_are_shown_exactly(value, text):
    assert usd(value) == text


def test_a_deal_that_holds_says_why_and_what_troubled_it_last():
    view = deal_view(
        deal(
            status=DealStatus.HOLDING,
            hold_reason=HoldReason.POOL_DEPTH,
            trouble=Trouble(LegKind.SWAP, 2),
            trouble_text="swap: dry",
            exposure=5,
            profit=Usd8(-USD8),
            current_ltv_bps=1_999,
        )
    )
    assert (view["status"], view["hold_reason"]) == ("holding", "pool_depth")
    assert view["trouble"] == {"leg": "swap", "times": 2, "text": "swap: dry"}
    assert view["trouble_text"] == "swap: dry"
    assert (view["usdtz_exposure_units"], view["profit_usd"]) == ("5", "-1.00000000")
    assert view["total_eth_value_usd"] == "10000000.00000000"
    assert (view["current_ltv_percent"], view["funding"]) == ("19.99", "borrow")


def test_a_fresh_deal_has_nulls_not_zeros_for_what_is_not_known():
    view = deal_view(deal())
    unknown = ("hold_reason", "trouble", "trouble_text", "usdtz_exposure_units", "profit_usd")
    assert [view[name] for name in unknown] == [None] * len(unknown)
    assert view["plan_hash"] == deal().plan.plan_hash


def test_a_leg_shows_its_call_and_what_became_of_it():
    mined = receipt(91)
    view = leg_view(
        leg(LegKind.SUPPLY, tx_hash=mined.tx_hash, block_number=91, gas_used=5, fee_wei=10**30)
    )
    assert (view["kind"], view["target"], view["selector"]) == ("supply", AAVE, "0x01020304")
    assert (view["tx_hash"], view["block_number"], view["gas"]) == (mined.tx_hash, 91, 5)
    assert view["fee_wei"] == str(10**30)
    under_way = leg_view(leg())
    assert (under_way["tx_hash"], under_way["block_number"], under_way["fee_wei"]) == (
        None,
        None,
        None,
    )


def test_a_plain_transfer_has_no_selector():
    fund, _ = books.fund(5)
    assert leg_view(leg(LegKind.FUND, call=fund.call))["selector"] is None


def test_a_step_shows_when_it_was_done_or_nothing():
    done = {"step": 1, "status": "done", "executed_at": datetime(2026, 1, 1, tzinfo=UTC)}
    assert step_view(done)["executed_at"] == "2026-01-01T00:00:00+00:00"
    assert step_view({**done, "executed_at": None})["executed_at"] is None


def test_the_ledger_is_shown_line_by_line_beside_the_chain():
    book = books.BOOK
    balances = Balances({(Account.WALLET, book.tokens.usdt): Held(7)})
    view = ledger_view(reconciled(book, balances, seen(cash=5).balances, core_booked=0), balances)
    line = next(
        row
        for row in view["lines"]
        if (row["account"], row["token"]) == ("asset/deal_wallet", "USDT")
    )
    assert (line["ledger_units"], line["chain_units"], line["mismatch_units"]) == ("7", "5", "2")
    assert view["mismatch_wei"] == "2"
    assert view["trial_balance"] == {"USDT": 7}
    assert view["balances"] == [{"account": "asset/deal_wallet", "token": "USDT", "units": "7"}]


def test_profit_and_loss_is_shown_without_a_float():
    """0.01 ETH of gas at $2,000."""
    balances = Balances({(Account.GAS, BOOK.native): Held(10**16)})
    marks = Marks(Usd8(2_000 * USD8), TokenAmount(BOOK.usdt, 0))
    view = pnl_view(profit_and_loss(BOOK, balances, marks))
    assert view["gas"]["amount"] == "0.010000000000000000"
    assert view["total_usd"] == "-20.00000000"
    assert view["claim"]["tokens"]["units"] == "0"
    assert not has_float(view)
    assert json.loads(json.dumps(view)) == view
