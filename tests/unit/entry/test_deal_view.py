"""A deal as tables, from the same document that --json prints."""

import pytest

from holdfast.entry.cli import deal_view
from holdfast.entry.cli.deal_view import show_changed, show_deal, show_deals

AMOUNT = {"token": "USDT", "units": "0", "amount": "0.000000"}
PNL = {
    **dict.fromkeys(
        ("trading", "fees", "interest_paid", "usdt", "interest_earned", "gas", "eth"), AMOUNT
    ),
    "total_usd": "396005.73833600",
    "claim": {"tokens": AMOUNT, "at_cost": AMOUNT, "at_market": AMOUNT},
    "eth_sold": {
        "sold": AMOUNT,
        "proceeds": AMOUNT,
        "sale_cost_usd": None,
        "upside_forgone_usd": "0.00000000",
    },
}
LEG = {
    "step": 1,
    "label": "borrow 600,000 USDT",
    "status": "landed",
    "block_number": 80,
    "gas": 123456,
    "tx_hash": "0x" + "ab" * 32,
}
DEAL = {
    "deal_id": "3f0e7e0c-0000-0000-0000-000000000000",
    "participant_bank_id": "BANK001",
    "status": "holding",
    "hold_reason": "pool_depth",
    "trouble": None,
    "trouble_text": None,
    "waits_for": None,
    "total_eth_value_usd": "10000000.00000000",
    "current_ltv_percent": "20.00",
    "profit_usd": None,
    "created_at": "2026-01-01T00:00:00+00:00",
}
INVARIANTS = [
    {"code": "I3.debt_cover", "severity": "hard", "ok": True, "value": "1.57", "limit": "1.00"},
    {"code": "I6.ltv", "severity": "hard", "ok": False, "value": "31.00 %", "limit": "30.00 %"},
    {"code": "I6.ltv_warning", "severity": "warn", "ok": False, "value": "29 %", "limit": "28 %"},
]
WHOLE = {
    **DEAL,
    "legs": [LEG, {**LEG, "block_number": None, "gas": None, "tx_hash": None, "status": "sent"}],
    "accounts": [
        {
            "name": "core",
            "address": "0x01",
            "balances": [{**AMOUNT, "token": "ETH", "units": "5", "amount": "2500"}, AMOUNT],
        },
        {"name": "deal", "address": "0x02", "balances": [AMOUNT]},
    ],
    "invariants": INVARIANTS,
    "ledger": {
        "block": {"number": 90, "hash": "0x" + "cd" * 32, "timestamp": 5_000},
        "mismatch_wei": 1,
        "lines": [
            {"account": "asset/core", "token": "ETH", "ledger_units": "5", "chain_units": "6"}
        ],
    },
    "pnl": PNL,
}


@pytest.fixture(autouse=True)
def wide(monkeypatch):
    """A terminal on which nothing is folded."""
    monkeypatch.setenv("COLUMNS", "220")


def shown(capsys, view, document):
    view(document)
    return capsys.readouterr()


def test_an_order_that_was_not_given_says_so_apart(capsys):
    changed = {"deal_id": "d", "before": "holding", "after": "executing"}
    dry = shown(capsys, show_changed, {**changed, "dry_run": True})
    assert dry.out == "Deal d would go from holding to executing.\n"
    assert "Add --execute" in dry.err
    done = shown(capsys, show_changed, {**changed, "dry_run": False})
    assert (done.out, done.err) == ("Deal d went from holding to executing.\n", "")


def test_deals_are_listed_with_status_and_reason(capsys):
    running = {**DEAL, "status": "executing", "hold_reason": None, "profit_usd": "-12.50000000"}
    out = shown(capsys, show_deals, {"deals": [DEAL, running]}).out
    assert "holding: pool_depth" in out
    assert "10,000,000.00" in out
    assert "20.00 %" in out
    assert "-12.50" in out


def test_a_deal_without_figures_yet_has_blanks(capsys):
    fresh = {**DEAL, "current_ltv_bps": None}
    out = shown(capsys, show_deals, {"deals": [fresh]}).out
    assert "None" not in out


def test_a_whole_deal_has_all_its_tables(capsys):
    out = shown(capsys, show_deal, WHOLE).out
    assert out.startswith("Deal 3f0e7e0c-0000-0000-0000-000000000000")
    assert "holding: pool_depth" in out.splitlines()[0]
    assert "123,456" in out
    assert LEG["tx_hash"] in out
    assert "2500 ETH" in out
    assert "nothing" in out  # the deal's own account is empty
    assert "mismatch 1" in out
    assert "$396,005.74" in out
    assert "None" not in out


def test_a_broken_rule_stands_out_from_a_warning(capsys):
    rows = [line.split("│") for line in shown(capsys, show_deal, WHOLE).out.splitlines()]
    verdict = {row[0].strip(): row[1].strip() for row in rows if len(row) > 1}
    assert (verdict["I3.debt_cover"], verdict["I6.ltv"]) == ("yes", "NO")
    assert verdict["I6.ltv_warning"] == "warning"


def test_the_last_trouble_is_told_with_its_count_while_it_lasts(capsys):
    words = {**DEAL, "trouble_text": "swap: Too little received"}
    assert "last trouble: swap: Too little received" in shown(capsys, show_deal, words).out
    counted = {**words, "trouble": {"leg": "swap", "times": 2, "text": "x"}}
    assert "last trouble (x2): swap: Too little received" in shown(capsys, show_deal, counted).out
    assert "trouble" not in shown(capsys, show_deal, DEAL).out


def test_a_deal_that_waits_says_for_what(capsys):
    waits = {**DEAL, "waits_for": "price"}
    assert "waits for price\n" in shown(capsys, show_deal, waits).out
    assert "price" in shown(capsys, show_deals, {"deals": [waits]}).out
    assert "waits" not in shown(capsys, show_deal, DEAL).out


def test_a_deal_that_waits_for_the_desk_says_who_stopped_it_and_why(capsys):
    stopped = {
        "state": "halted",
        "scope": "chain:1",
        "reason": "a key may be lost",
        "set_by": "alice",
        "since": "2026-01-01T00:00:00+00:00",
    }
    waits = {**DEAL, "waits_for": "trading", "trading": stopped}
    told = "waits for trading: halted for chain:1, set by alice: a key may be lost (see `holdfast"
    assert told in shown(capsys, show_deal, waits).out
    active = {**waits, "trading": {**stopped, "state": "active"}}
    assert "the desk is active again" in shown(capsys, show_deal, active).out
    just_listed = {**DEAL, "waits_for": "trading"}
    assert "waits for trading\n" in shown(capsys, show_deal, just_listed).out


def test_a_claim_and_sold_ether_are_shown_only_when_there_are_any(capsys):
    none = shown(capsys, show_deal, WHOLE).out
    assert "claim" not in none
    assert "upside forgone" not in none
    some = {**AMOUNT, "units": "5", "amount": "0.000005"}
    pnl = {
        **PNL,
        "claim": {"tokens": some, "at_cost": some, "at_market": some},
        "eth_sold": {
            "sold": some,
            "proceeds": some,
            "sale_cost_usd": "1182.30000000",
            "upside_forgone_usd": "-3.00000000",
        },
    }
    out = shown(capsys, show_deal, {**WHOLE, "pnl": pnl}).out
    assert "at market" in out
    assert "$-3.00" in out
    assert "cost of selling it" in out
    assert "$1,182.30" in out


def test_a_document_without_legs_is_a_deal_just_made(capsys):
    out = shown(capsys, show_deal, DEAL).out
    assert "Legs" not in out


@pytest.mark.parametrize(("status", "is_shown"), [("awaiting_approval", True), ("holding", False)])
def test_who_is_to_approve_sees_the_plan(monkeypatch, capsys, status, is_shown):
    monkeypatch.setattr(deal_view, "plan_view", lambda plan: f"plan {plan['plan_hash']}")
    show_deal({**DEAL, "status": status, "plan": {"plan_hash": "0xabc"}})
    assert ("plan 0xabc" in capsys.readouterr().out) is is_shown
