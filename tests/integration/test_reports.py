"""Reports over the database's own rows: what is read, of which time, and by whom."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import text

from holdfast.audit.model import Act
from holdfast.audit.service import DESK, AuditTrail
from holdfast.common.alerts import Alert, Ended, Severity
from holdfast.common.ids import BankId, ChainId
from holdfast.common.money import USD8
from holdfast.common.system_clock import SystemClock
from holdfast.ledger import service
from holdfast.monitoring.store import alerts as alert_store
from holdfast.monitoring.store import history
from holdfast.monitoring.ticks import COLUMNS, FORMAT, Tick, columns
from holdfast.reporting.facts import Span
from holdfast.reporting.reporter import Reporter
from holdfast.reporting.reports import ReportKind
from holdfast.reporting.store.facts import read_facts
from holdfast.reporting.tables import as_json
from holdfast.risk.limits import RiskLimits
from tests.integration.test_execution_store import stored
from tests.integration.test_ledger import entries
from tests.unit.execution.scene import AT
from tests.unit.ledger.scene import BOOK
from tests.unit.ledger.test_loop import OPENING

FALL = Alert("core.fell", Severity.CRITICAL, "0xcore", "the core balance fell", ChainId(138))
AUDIT = AuditTrail(SystemClock())


def soon():
    return SystemClock().now() + timedelta(minutes=1)


def today():
    return Span(soon() - timedelta(days=1), soon())


async def read(database, span=None):
    async with database.begin() as session:
        return await read_facts(session, span or today(), soon())


def reporter(database):
    return Reporter(database, AUDIT, SystemClock(), RiskLimits(), history)


async def raise_and_close(database):
    async with database.begin() as session:
        await alert_store.put(session, FALL)
    async with database.begin() as session:
        await alert_store.resolve(session, Ended("core.", "0xcore"))


async def record(database, deal=DESK):
    act = Act(deal, BankId("BANK001"), ChainId(138), "alice", "alert.acknowledge", "1", {})
    async with database.begin() as session:
        await AUDIT.lock_desk(session)
        await AUDIT.record(session, act)


async def test_an_alert_is_told_while_it_is_open_and_on_the_day_it_ends(database):
    await raise_and_close(database)
    (told,) = (await read(database)).alerts
    assert (told.code, told.severity, told.count) == ("core.fell", "critical", 1)
    assert told.resolved_at is not None
    later = Span(soon(), soon() + timedelta(days=1))
    assert (await read(database, later)).alerts == ()
    before = Span(soon() - timedelta(days=3), soon() - timedelta(days=2))
    assert (await read(database, before)).alerts == ()


async def test_acts_are_those_of_the_time(database):
    await record(database)
    (told,) = (await read(database)).acts
    assert (told.actor, told.action, told.deal_id) == ("alice", "alert.acknowledge", None)
    assert (await read(database, Span(soon(), soon() + timedelta(days=1)))).acts == ()


def status(deal, event, **detail):
    return Act(deal.deal_id, deal.bank, deal.chain_id, "worker", f"deal.{event}", "deal", detail)


async def test_acts_have_their_reasons_and_those_of_the_desk_no_deal_and_no_bank(database):
    deal = await stored(database)
    acts = (
        status(deal, "hold", reason="invariant", why=["I6.ltv"]),
        status(deal, "resume", reason=None),
        status(deal, "hold", reason="operator"),
        status(deal, "cure", legs=["repay"], ltv_bps="2712", breaches=[]),
        status(deal, "resume", reason=None),
    )
    halted = Act(DESK, BankId("-"), ChainId(0), "alice", "desk.halted", "desk", {"reason": "drill"})
    async with database.begin() as session:
        await AUDIT.record(session, *acts)
        await AUDIT.lock_desk(session)
        await AUDIT.record(session, halted)
    told = (await read(database)).acts
    assert [(one.action, one.reason) for one in told if one.deal_id == deal.deal_id] == [
        ("deal.hold", "invariant: I6.ltv"),
        ("deal.resume", "ends the hold: invariant: I6.ltv"),
        ("deal.hold", "operator"),
        ("deal.cure", "LTV 27.12 %: repay"),
        ("deal.resume", "ends the hold: operator"),
    ]
    (of_desk,) = [one for one in told if one.action == "desk.halted"]
    assert (of_desk.deal_id, of_desk.bank, of_desk.reason) == (None, None, "drill")


async def test_every_kind_is_made_of_an_empty_desk(database):
    for kind in ReportKind:
        made = await reporter(database).made(kind)
        assert made.tables[-1].name == "quality"


async def test_compliance_verifies_the_record_and_says_when_it_was_changed(database):
    await record(database)
    made = await reporter(database).made(ReportKind.COMPLIANCE)
    (row,) = as_json(made)["tables"]["audit"]["rows"]
    assert (row["entries"], row["holds"], len(row["head"])) == (1, True, 64)
    assert (row["record"], row["deal_id"]) == ("the desk's own", None)
    async with database.begin() as session:
        await session.execute(text("ALTER TABLE audit_entries DISABLE TRIGGER USER"))
        await session.execute(text("UPDATE audit_entries SET actor = 'mallory'"))
    try:
        changed = await reporter(database).made(ReportKind.COMPLIANCE)
    finally:
        async with database.begin() as session:
            await session.execute(text("ALTER TABLE audit_entries ENABLE TRIGGER USER"))
    (row,) = as_json(changed)["tables"]["audit"]["rows"]
    assert row["holds"] is False


PRICED = """
UPDATE plans SET report = '{"prices": {"eth_usd": "2000", "usdt_usd": "1"},
  "terms": {"spend": {"units": "12000000000"}, "min_tokens": {"units": "20000000000"}}}'
"""


async def test_what_a_deal_holds_is_read_from_its_ledger_and_valued(database):
    deal = await stored(database)
    book = replace(BOOK, deal_id=deal.deal_id)
    async with database.begin() as session:
        await service.post(session, book, entries(*(make() for make in OPENING), book=book))
        await session.execute(text(PRICED))
    made = as_json(await reporter(database).made(ReportKind.EXPOSURE))
    told = {row["asset_type"]: row["usd"] for row in made["tables"]["by_asset"]["rows"]}
    # 30 WETH at 2,000; 12,000 USDT of debt; 19,980 tokens at 0.60
    assert told["collateral"] == "60000.00000000"
    assert told["debt"] == "-12000.00000000"
    assert told["discounted token"] == "11988.00000000"
    (row,) = made["tables"]["by_chain"]["rows"]
    assert (row["chain"], row["unpriced"]) == (str(BOOK.chain_id), 0)
    daily = as_json(await reporter(database).made(ReportKind.DAILY))
    (row,) = daily["tables"]["deals"]["rows"]
    assert (row["deal_id"], row["status"]) == (str(deal.deal_id), "planned")
    ok = {row["measure"]: row["ok"] for row in daily["tables"]["quality"]["rows"]}
    assert not ok["deals with holdings that were compared with the chain"]


TICK = """
INSERT INTO risk_ticks (chain_id, block_number, block_hash, block_timestamp, taken_at, took_micros,
  is_kept, market, deals, format, columns)
SELECT 138, n, '0x', n, now() - n * n * interval '1 second', 100, true,
  jsonb_build_object('eth_price', 200000000000 - n, 'cash_price', 100000000,
    'token_price', 55000000), 0, 1, ''
FROM generate_series(1, 4) AS n
"""


async def test_the_newest_tick_has_the_prices_and_all_of_them_the_longest_pause(database):
    await stored(database)
    async with database.begin() as session:
        await session.execute(text(PRICED))
        await session.execute(text("UPDATE plans SET created_at = now() - interval '1 hour'"))
        await session.execute(text(TICK))
    found = await read(database)
    priced = {row.chain_id: (row.eth, row.token) for row in found.prices}
    assert priced[138] == (199_999_999_999, 55_000_000)
    # 16, 9, 4 and 1 seconds ago, and the span ends in a minute
    assert [(row.chain_id, row.ticks) for row in found.ticks] == [(138, 4)]
    assert 55 < found.ticks[0].longest_pause < 65


CHANGES = """
INSERT INTO risk_limit_changes (chain_id, block_number, block_hash, block_timestamp, before_bps,
  after_bps, cause, score, volatility_bps)
SELECT 138, n, '0x', extract(epoch FROM now())::bigint - n * 7200, 10000, 5000 + n, 'score', 50, 1
FROM generate_series(14, 1, -1) AS n
"""


async def test_changes_of_the_limits_are_those_of_the_time_and_the_last_one_holds(database):
    async with database.begin() as session:
        await session.execute(text(CHANGES))
    found = await read(database)
    # every two hours, of a day
    assert [one.after_bps for one in found.limit_changes] == list(range(5_011, 5_000, -1))
    assert [(one.chain_id, one.after_bps) for one in found.scales] == [(138, 5_001)]
    before = Span(soon() - timedelta(days=3), soon() - timedelta(days=2))
    early = await read(database, before)
    assert (early.limit_changes, early.scales) == ((), ())


async def looked(database, *ticks, kept=True):
    async with database.begin() as session:
        for one in ticks:
            await history.write(session, one, is_kept=kept)


def tick_at(at, *rows):
    """A tick with rows of (number, LTV and cover in bps)."""
    width = len(COLUMNS[FORMAT]) - 4
    full = [(number, 0, ltv, cover, *[0] * width) for number, ltv, cover in rows]
    market = {"eth_price": 2_000 * USD8, "cash_price": USD8, "threshold_bps": 8_300}
    return Tick(ChainId(138), AT, at, 0.1, market, columns(full))


async def test_the_history_of_a_day_is_the_worst_of_its_hours_and_names_its_gaps(database):
    day = datetime(2026, 3, 9, tzinfo=UTC)
    ticks = [
        tick_at(day + timedelta(minutes=minute), (1, 2_000 + minute, 15_000), (2, 1_000, 30_000))
        for minute in range(0, 120, 5)
    ]
    await looked(database, *ticks)
    await looked(database, tick_at(day + timedelta(minutes=3), (1, 9_000, 5_000)), kept=False)
    made = as_json(await reporter(database).made(ReportKind.DAILY, day.date()))["tables"]
    first, second, third, *_ = made["risk_history"]["rows"]
    # what is not kept is not read: its hour ends at 55 minutes
    assert (first["looks"], first["highest_ltv_percent"], first["ltv_deal"]) == (12, "20.55", 1)
    assert (second["highest_ltv_percent"], second["deals"], second["lowest_debt_cover"]) == (
        "21.15",
        2,
        "1.5000",
    )
    assert second["lowest_health_factor"] == "3.9243"  # 8,300 of 2,115, rounded down
    assert (third["looks"], third["highest_ltv_percent"]) == (0, None)
    quality = {row["measure"]: row for row in made["quality"]["rows"]}
    marks = quality["five minutes in which the monitor looked at chain 138"]
    assert (marks["value"], marks["ok"]) == ("24 of 288", False)
    # from 01:55 to midnight
    pause = quality["longest pause of the monitor on chain 138, 25 ticks"]
    assert (pause["value"], pause["ok"]) == ("79500 s", False)


async def test_a_day_on_which_nobody_looked_at_a_known_chain_is_named(database):
    day = datetime(2026, 3, 9, tzinfo=UTC)
    await looked(database, tick_at(day - timedelta(days=1)))
    made = as_json(await reporter(database).made(ReportKind.DAILY, day.date()))["tables"]
    assert made["risk_history"]["rows"] == []
    quality = {row["measure"]: row["value"] for row in made["quality"]["rows"]}
    assert quality["five minutes in which the monitor looked at chain 138"] == "0 of 288"
    assert quality["longest pause of the monitor on chain 138, 0 ticks"] == "86400 s"


async def test_looks_are_sampled_by_chain_in_order(database):
    day = datetime(2026, 3, 9, tzinfo=UTC)
    other = replace(tick_at(day, (7, 1, 1)), chain_id=ChainId(1))
    times = [day + timedelta(minutes=5 * n) for n in range(6)]
    await looked(database, *(tick_at(at, (1, 2_000, 2)) for at in reversed(times)), other)
    async with database.begin() as session:
        assert await history.marks(session, day, day + timedelta(days=1)) == 7
        found = [
            (one.chain_id, one.taken_at)
            async for one in history.sampled(session, day, day + timedelta(days=1), seconds=900)
        ]
    assert found == [(1, day), (138, times[0]), (138, times[3])]
