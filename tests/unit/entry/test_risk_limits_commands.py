"""`holdfast risk limits` and `risk market`: what is shown, with and without a reading."""

import contextlib
import json
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from holdfast.common.errors import Paused
from holdfast.common.ids import chain_id
from holdfast.common.money import Token
from holdfast.entry.cli import risk_limits as commands
from holdfast.entry.cli import session
from holdfast.entry.cli.main import run
from holdfast.planning.json_values import usd
from holdfast.risk.dynamic import next_state
from holdfast.risk.limits import RiskLimits
from tests.unit.entry.test_cli_main import process_as_before
from tests.unit.risk.markets import NOON, market, pool

__all__ = ["process_as_before"]

TOKENS = {
    symbol: Token(chain_id(138), symbol, decimals)
    for symbol, decimals in (("WETH", 18), ("USDT", 6))
}
CHANGE = {
    "block_timestamp": NOON,
    "block_number": 75,
    "before_bps": 10_000,
    "after_bps": 5_000,
    "cause": "score",
    "score": 50,
    "volatility_bps": 7_200,
}


class System:
    """A system whose market and limits the test sets."""

    def __init__(self):
        self.limits = RiskLimits()
        self.profile = SimpleNamespace(chain_id=138, token=TOKENS.__getitem__)
        self.state, self.changes, self.seen, self.refuses = None, [], market(), None
        self.since = None
        self.db = self.dynamic = self.market = self.pool = self

    @contextlib.asynccontextmanager
    async def begin(self):
        yield "session"

    async def kept(self, session):
        assert session == "session"
        return self.state

    async def newest(self):
        return self.seen

    async def require(self):
        if self.refuses is not None:
            raise self.refuses


@pytest.fixture
def system(monkeypatch):
    made = System()

    @contextlib.asynccontextmanager
    async def opened(settings):
        yield made

    async def newest_changes(session, chain_id, limit):
        assert (chain_id, limit) == (138, 10)
        return made.changes

    async def watched_since(session, chain_id):
        return made.since

    monkeypatch.setenv("COLUMNS", "220")
    monkeypatch.setattr(commands, "watched_since", watched_since)
    monkeypatch.setattr(session, "opened", opened)
    monkeypatch.setattr(commands, "newest_changes", newest_changes)
    return made


def said(capsys, *arguments):
    code = run(["risk", *arguments])
    return code, capsys.readouterr().out


def published(limit):
    return [value for key, value in limit.items() if key.startswith("published")]


def in_force(limit):
    return [value for key, value in limit.items() if key.startswith("in_force")]


def told(capsys, *arguments):
    code, text = said(capsys, *arguments, "--json")
    assert code == 0
    return json.loads(text)


def test_without_a_reading_the_published_limits_hold(system, capsys):
    document = told(capsys, "limits")
    assert (document["scale_percent"], document["read_at"]) == ("100.00", None)
    assert all(published(one) == in_force(one) for one in document["limits"])
    assert "was not read yet" in said(capsys, "limits")[1]


def test_a_tightened_limit_is_shown_with_its_reason_and_what_it_waits_for(system, capsys):
    system.state = next_state(None, market(cash=0.95))
    system.changes = [CHANGE]
    document = told(capsys, "limits")
    by_name = {one["name"]: one for one in document["limits"]}
    assert by_name["max_ltv"] == {
        "name": "max_ltv",
        "published_percent": "30.00",
        "in_force_percent": "15.00",
    }
    assert by_name["max_day"]["in_force_usd"] == usd(RiskLimits().max_day // 2)
    assert "max LTV       30.00 %          15.00 %" in said(capsys, "limits")[1]
    assert (document["cause"], document["score"], document["may_rise_at"]) == ("score", 50, None)
    assert document["changes"][0]["after_percent"] == "50.00"
    text = said(capsys, "limits")[1]
    assert "At 50.00 % since 2024-10-04T12:00:00+00:00: score" in text
    assert "do not rise while the market stays as it is" in text


def test_a_calm_says_when_the_limits_may_rise(system, capsys):
    state = next_state(None, market(cash=0.95))
    system.state = next_state(state, market(NOON + 60))
    assert told(capsys, "limits")["may_rise_at"] == "2024-10-05T12:01:00+00:00"
    assert "may rise at 2024-10-05T12:01:00+00:00" in said(capsys, "limits")[1]


def test_published_limits_after_a_reading_are_said_to_hold(system, capsys):
    system.state = next_state(None, market())
    assert "The published limits hold (score 100" in said(capsys, "limits")[1]


def test_the_market_is_shown_with_both_sources_and_the_score(system, capsys):
    document = told(capsys, "market")
    assert document["eth"]["feed_usd"] == document["eth"]["average_usd"] == "2000"
    assert document["eth"]["is_agreed"]
    assert document["score"]["total"] == 100
    assert document["lending"]["usdt"]["utilisation_percent"] == "60.00"
    text = said(capsys, "market")[1]
    assert "Score 100 of 100" in text
    assert "the whole window" in text


def test_a_pool_without_memory_is_said_in_words(system, capsys):
    system.seen = market(eth_pool=pool(1_900, window=0))
    eth = told(capsys, "market")["eth"]
    assert (eth["average_state"], eth["average_usd"], eth["is_agreed"]) == ("absent", None, False)
    assert eth["deviation_percent"] == "5.00"
    assert "the price now stands in" in said(capsys, "market")[1]


def test_the_kept_volatility_counts_in_the_score(system, capsys):
    state = next_state(None, market())
    system.state = next_state(state, market(NOON + 60, eth=1_600))
    parts = {part["name"]: part for part in told(capsys, "market")["score"]["parts"]}
    assert parts["volatility"]["points"] < 100


def test_without_a_node_the_market_cannot_be_read(system, capsys):
    system.refuses = Paused("chain.read_only", "no node")
    code, text = said(capsys, "market", "--json")
    assert (code, json.loads(text)["error"]["code"]) == (4, "chain.read_only")


def test_what_a_deal_opens_at_follows_the_limits_in_force(system, capsys):
    assert told(capsys, "limits")["opening"] == {
        "proposed_percent": "20.00",
        "warned_above_percent": "24.90",
    }
    system.state = next_state(None, market(cash=0.95))  # half of everything
    assert told(capsys, "limits")["opening"]["proposed_percent"] == "12.45"
    assert "opens at 12.45 %, and warns above 12.45 %" in said(capsys, "limits")[1]


def test_it_is_said_what_volatility_rests_on(system, capsys):
    text = said(capsys, "limits")[1]
    assert "Volatility will begin at 72.00 % a year, or as HOLDFAST_PRICE_HISTORY said" in text
    system.since = datetime(2026, 3, 1, tzinfo=UTC)
    system.state = next_state(None, market())
    assert (
        "Volatility is watched since 2026-03-01; it began at 72.00 %" in said(capsys, "limits")[1]
    )


def hours(path, step=3_600):
    """A hundred hours at $100 of which one fell by a tenth."""
    rows = [f"{n * step},100,{90 if n == 50 else 99},100" for n in range(100)]
    path.write_text("\n".join(["timestamp,high,low,close", *rows]))
    return str(path)


def test_a_file_of_hours_gives_the_openings_of_the_rule(system, capsys, tmp_path):
    system.state = next_state(None, market(cash=0.95))
    history = told(capsys, "limits", "--prices", hours(tmp_path / "hours.csv"))["history"]
    assert (history["hours"], history["gaps"]) == (100, 0)
    # 24 of 76 paths meet the fall by a tenth: 30 % * 0.9, and 15 % * 0.9 at the cap in force
    assert history["quantiles"] == [
        {
            "share_percent": share,
            "path_low_percent": "-10.00",
            "opening_ltv_percent": "27.00",
            "in_force_percent": "13.50",
        }
        for share in ("1.00", "0.10", "0.00")
    ]
    text = said(capsys, "limits", "--prices", hours(tmp_path / "hours.csv"))[1]
    assert "100 hours from 1970-01-01T00:00Z" in text


def test_a_file_that_holds_no_hours_is_refused(system, capsys, tmp_path):
    days = hours(tmp_path / "days.csv", step=86_400)
    code, text = said(capsys, "limits", "--prices", days, "--json")
    assert (code, "opening.not_hourly" in text) == (3, True)
    code, text = said(capsys, "limits", "--prices", str(tmp_path / "none.csv"), "--json")
    assert (code, "replay.file" in text) == (3, True)
