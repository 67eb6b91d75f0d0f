"""`holdfast risk status` and `risk watch`: how the monitor's last tick looks."""

import contextlib
import json

import pytest

from holdfast.entry.cli import risk_status as commands
from holdfast.entry.cli.main import run
from tests.unit.entry.test_cli_main import process_as_before

__all__ = ["process_as_before"]

MARKET = {
    "eth_usd": "2000",
    "eth_deviation_percent": "0.12",
    "eth_feed_age_seconds": 60,
    "usdt_usd": "1",
    "token_usd": "0.6",
    "usdt_utilisation_percent": "45.00",
    "redemption_is_frozen": False,
}
DEAL = {
    "deal_id": "d-1",
    "deal_number": 7,
    "bank": "BANK001",
    "status": "executing",
    "hold_reason": None,
    "state": "due",
    "ltv_percent": "30.16",
    "debt_cover": "1.5742",
    "exposure_percent": "6.00",
    "debt_usd": "600000",
    "token_market_usd": "599000",
}
ALERT = {
    "alert_id": 3,
    "severity": "critical",
    "code": "risk.breach.I6.ltv",
    "subject": "d-1",
    "text": "deal 7: debt over collateral",
    "opened_at": "2026-01-01T00:00:00.123456+00:00",
}

HALT = {
    "scope": "chain:138",
    "state": "halted",
    "set_by": "alice",
    "reason": "a key may be lost",
    "since": "2026-01-01T00:00:00.5+00:00",
}


def chain(*deals, is_late=False, **market):
    tick = {"age_seconds": 2.5, "took_seconds": 0.04, "is_late": is_late}
    block = {"number": 75, "hash": "0x" + "ab" * 32, "timestamp": 5_000}
    return {
        "chain_id": 138,
        "block": block,
        "tick": tick,
        "market": {**MARKET, **market},
        "deals": list(deals),
    }


class Reader:
    """What the monitor is said to have seen; ends a watch after its last report."""

    def __init__(self, *reports):
        self.reports = list(reports)

    async def report(self):
        if not self.reports:
            raise KeyboardInterrupt
        return self.reports.pop(0)


@pytest.fixture
def saw(monkeypatch):
    def set_up(*reports):
        @contextlib.asynccontextmanager
        async def opened(settings):
            yield Reader(*reports)

        monkeypatch.setattr(commands, "opened_risk_status", opened)
        monkeypatch.setattr(commands, "_REFRESH_SECONDS", 0)

    monkeypatch.setenv("COLUMNS", "220")
    return set_up


def printed(capsys, *arguments):
    assert run(["risk", *arguments]) == 0
    return capsys.readouterr().out


def test_the_status_is_one_document(saw, capsys):
    report = {"trading": [], "chains": [chain(DEAL)], "alerts": [ALERT]}
    saw(report)
    assert json.loads(printed(capsys, "status", "--json")) == report


def test_a_deal_is_shown_with_its_shares_and_what_is_open(saw, capsys):
    saw({"trading": [], "chains": [chain(DEAL)], "alerts": [ALERT]})
    text = printed(capsys, "status")
    assert "chain 138, block 75: looked 2.5 s ago, in 0.04 s" in text
    for shown in ("30.16 %", "1.57", "6.00 %", "$600,000", "due", "risk.breach.I6.ltv"):
        assert shown in text
    assert "2026-01-01T00:00:00\n" in text
    assert "LATE" not in text


def test_what_has_no_number_is_said_in_words(saw, capsys):
    odd = {**DEAL, "deal_id": None, "debt_cover": None, "ltv_percent": None, "status": "holding"}
    odd["hold_reason"] = "invariant"
    saw(
        {
            "trading": [],
            "chains": [chain(odd, is_late=True, redemption_is_frozen=True)],
            "alerts": [],
        }
    )
    text = printed(capsys, "status")
    for shown in ("LATE", "FROZEN", "no debt", "unbounded", "holding (invariant)", "No alert"):
        assert shown in text


def test_a_desk_without_ticks_or_deals_says_so(saw, capsys):
    saw({"trading": [], "chains": [], "alerts": []})
    assert "has never looked" in printed(capsys, "status")
    saw({"trading": [], "chains": [chain()], "alerts": []})
    assert "No deal is open." in printed(capsys, "status")


def test_a_watch_shows_every_change_until_it_is_interrupted(saw, capsys, monkeypatch):
    saw(
        {"trading": [], "chains": [chain(DEAL)], "alerts": []},
        {"trading": [], "chains": [chain()], "alerts": []},
    )
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich takes what it writes to for a screen then
    assert "No deal is open." in printed(capsys, "watch")


def test_a_watch_into_a_file_writes_a_line_for_each_change(saw, capsys):
    calm = {"trading": [], "chains": [chain(DEAL)], "alerts": []}
    saw(calm, calm, {"trading": [HALT], "chains": [chain(is_late=True)], "alerts": [ALERT]})
    assert printed(capsys, "watch").splitlines() == [
        "chain 138 block 75, 1 deals, 1 not calm; 0 alerts",
        "chain:138 is HALTED; chain 138 block 75, 0 deals, 0 not calm, LATE; 1 alerts",
    ]


def test_what_stops_trading_is_said_first(saw, capsys):
    saw({"trading": [HALT], "chains": [chain()], "alerts": []})
    first, *_ = printed(capsys, "status").splitlines()
    assert first == (
        "Trading of chain:138 is HALTED since 2026-01-01T00:00:00, set by alice: a key may be lost"
    )
