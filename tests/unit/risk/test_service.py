"""Keeping the limits: what is stored, told and in force after each reading."""

import pytest

from holdfast.common.alerts import Ended, Severity
from holdfast.common.errors import Rejected
from holdfast.common.ids import ChainId
from holdfast.common.money import BPS, USD8, Usd8
from holdfast.risk import service
from holdfast.risk.dynamic import STABLE_SECONDS
from holdfast.risk.limits import RiskLimits
from holdfast.risk.service import DynamicLimits
from tests.support.alarm import KeptAlarm
from tests.unit.risk.markets import NOON, market, reserve

CHAIN = ChainId(138)
BROKEN = {"cash": 0.95}
TICK = 1_800


class Store:
    """The statements over limits, in memory."""

    def __init__(self):
        self.rows, self.changes, self.unseen = {}, [], 0

    async def load(self, session, chain_id):
        return self.rows.get(chain_id)

    async def unseen_seconds(self, session, chain_id):
        return self.unseen

    async def load_locked(self, session, chain_id):
        return self.rows.get(chain_id)

    async def save(self, session, chain_id, kept):
        self.rows[chain_id] = kept

    async def record(self, session, chain_id, change):
        self.changes.append((chain_id, change.before, change.after))


@pytest.fixture
def kept(monkeypatch):
    store = Store()
    monkeypatch.setattr(service, "store", store)
    return store


@pytest.fixture
def told():
    return KeptAlarm()


@pytest.fixture
def limits(kept, told):
    return DynamicLimits(CHAIN, RiskLimits(), told)


async def test_before_the_first_reading_the_published_limits_hold(limits):
    assert await limits.kept("session") is None
    assert (await limits.in_force("session")).limits == RiskLimits()


async def test_a_calm_reading_is_kept_and_nothing_is_told(limits, kept, told):
    state = await limits.observe("session", market())
    assert state == await limits.kept("session")
    assert (kept.changes, told.alerts, told.over) == ([], [], [])


async def test_a_tightening_is_recorded_told_and_in_force(limits, kept, told):
    await limits.observe("session", market())
    await limits.observe("session", market(NOON + 5, **BROKEN))
    assert kept.changes == [(CHAIN, BPS, 5_000)]
    (alert,) = told.alerts
    assert (alert.code, alert.severity, alert.subject) == (
        ("limits.tightened", Severity.WARNING, "chain:138")
    )
    assert alert.fields["scale_bps"] == 5_000
    assert (await limits.in_force("session")).limits.max_ltv == 1_500


async def test_the_alert_ends_when_the_published_limits_are_back(limits, kept, told):
    await limits.observe("session", market(**BROKEN))
    for seconds in range(60, 60 + 3 * STABLE_SECONDS + TICK, TICK):
        await limits.observe("session", market(NOON + seconds))
    assert [change[1:] for change in kept.changes] == [
        (10_000, 5_000),
        (5_000, 7_000),
        (7_000, 9_000),
        (9_000, 10_000),
    ]
    assert len(told.alerts) == 1
    assert told.over == [Ended("limits.tightened", "chain:138")]


async def test_what_the_lending_market_changed_is_told_by_name(limits, told):
    await limits.observe("session", market())
    await limits.observe("session", market(NOON + 5, collateral=reserve(950, 50, ltv=7_500)))
    await limits.observe("session", market(NOON + 10, collateral=reserve(950, 50, ltv=7_500)))
    (alert,) = told.alerts
    assert (alert.code, alert.subject) == ("market.configuration", "chain:138:collateral.ltv")
    assert alert.fields == {"before": "8000", "after": "7500", "block": 75}


async def test_a_rough_history_tightens_the_first_reading_and_is_asked_only_then(kept, told):
    asked = []

    def history(until):
        asked.append(until)
        return [Usd8((2_000 if day % 2 else 2_200) * USD8) for day in range(40)]

    limits = DynamicLimits(CHAIN, RiskLimits(), told, history)
    state = await limits.observe("session", market())
    # ten per cent a day are 182 % a year, of which 0.92 after 40 days: 72 / 175 is a scale of 40 %
    assert (state.scale, str(state.cause)) == (4_000, "volatility")
    assert kept.changes == [(CHAIN, BPS, 4_000)]
    await limits.observe("session", market(NOON + 5))
    assert asked == [NOON]


async def test_a_history_that_cannot_be_read_is_told_and_stops_nothing(kept, told):
    def history(until):
        raise Rejected("replay.csv_gap", "prices.csv lacks 3 days")

    limits = DynamicLimits(CHAIN, RiskLimits(), told, history)
    assert (await limits.observe("session", market())).scale == BPS
    (alert,) = told.alerts
    assert (alert.code, alert.fields) == ("limits.history", {"code": "replay.csv_gap"})
    assert "lacks 3 days" in alert.text


async def test_limits_that_nobody_keeps_any_more_hold_at_half_of_the_published(limits, kept):
    await limits.observe("session", market())
    kept.unseen = 3_600
    assert (await limits.in_force("session")).limits == RiskLimits()
    kept.unseen = 3_601
    found = (await limits.in_force("session")).limits
    assert (found.max_ltv, found.max_deal) == (1_500, RiskLimits().max_deal // 2)
