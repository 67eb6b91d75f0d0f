"""What the checks of unwinds read and write on a real database."""

from dataclasses import replace
from datetime import UTC, datetime

from sqlalchemy import text

from holdfast.audit.service import AuditTrail
from holdfast.common.alerts import Alert, Severity
from holdfast.common.ids import ChainId, PrincipalId, new_deal_id, new_group_id
from holdfast.common.queue import ChoreQueue
from holdfast.common.system_clock import SystemClock
from holdfast.execution.store.deals import DealStore
from holdfast.execution.store.legs import record_legs
from holdfast.model.deal import DealStatus
from holdfast.monitoring.alerts import Alerts
from holdfast.monitoring.chores import Chores
from holdfast.monitoring.exit_alerts import FAILING
from holdfast.monitoring.store import alerts as alert_store
from holdfast.monitoring.store import history
from holdfast.monitoring.ticks import COLUMNS, FORMAT, Tick, columns
from tests.integration.test_execution_store import stored
from tests.unit.execution.scene import AT, CALLS

CHAIN = ChainId(138)
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
ALICE = PrincipalId("alice")


def failing(deal_id):
    return Alert(FAILING, Severity.CRITICAL, str(deal_id), "it would fail", CHAIN, deal_id)


async def test_the_open_deals_have_their_numbers_and_no_others(database):
    held = await stored(database, 3, status=str(DealStatus.HOLDING))
    await stored(database, 4, status=str(DealStatus.COMPLETED))
    async with database.begin() as session:
        found = await DealStore().open_ids(session, CHAIN)
        assert found == {held.deal_id: held.deal_number}
        assert await DealStore().open_ids(session, ChainId(1)) == {}


async def test_many_deals_are_loaded_as_each_would_be_in_the_order_asked_for(database):
    deals = [await stored(database, number) for number in (1, 2, 3)]
    store = DealStore()
    async with database.begin() as session:
        await record_legs(session, deals[0], new_group_id(), [CALLS.supply(1)])
        await record_legs(session, deals[2], new_group_id(), [CALLS.claim(2), CALLS.claim(3)])
        wanted = [one.deal_id for one in (deals[2], deals[0], deals[1])]
        found = await store.load_all(session, wanted)
        alone = [await store.load(session, one) for one in wanted]
    assert [len(one.legs) for one in found] == [2, 1, 0]
    assert found == [replace(one, plan=replace(one.plan, report={})) for one in alone]


async def test_the_covers_are_those_of_the_newest_tick_that_this_version_understands(database):
    names = COLUMNS[FORMAT]
    rows = [[0] * len(names) for _ in range(2)]
    for number, one in enumerate(rows, start=7):
        one[names.index("number")], one[names.index("cover_bps")] = number, 10_000 * number
    async with database.begin() as session:
        assert await history.covers(session, CHAIN) == {}
        await history.write(session, Tick(CHAIN, AT, NOON, 0.1, {}, columns(rows)), is_kept=True)
    async with database.begin() as session:
        await session.execute(
            text(
                "INSERT INTO risk_ticks (chain_id, block_number, block_hash, block_timestamp,"
                " taken_at, took_micros, is_kept, market, deals, format, columns)"
                " SELECT chain_id, block_number, block_hash, block_timestamp, taken_at,"
                " took_micros, is_kept, market, deals, 99, '' FROM risk_ticks"
            )
        )
    async with database.begin() as session:
        assert await history.covers(session, CHAIN) == {7: 70_000, 8: 80_000}


async def test_what_lasts_is_known_whoever_raised_it_until_it_is_seen_to_end(
    database, database_url
):
    alarm = Alerts(Chores(ChoreQueue(database_url)), AuditTrail(SystemClock()), DealStore())
    deals = [await stored(database, number) for number in (1, 2, 3)]
    open_one, acknowledged, other = (one.deal_id for one in deals)
    async with database.begin() as session:
        await alarm.raised(session, *map(failing, (open_one, acknowledged)))
        await alarm.raised(session, replace(failing(other), code="exit.other"))
        listed = await alarm.listed(session)
        (seen,) = [one for one in listed if one.deal_id == acknowledged]
        await alarm.acknowledge(session, seen.alert_id, ALICE, "the issuer was called")
    async with database.begin() as session:
        told = await alert_store.standing(session, CHAIN, FAILING)
        assert told == {open_one: True, acknowledged: False}
        some = [acknowledged, other, new_deal_id()]
        assert await alert_store.standing(session, CHAIN, FAILING, some) == {acknowledged: False}
        assert await alert_store.standing(session, ChainId(1), FAILING) == {}
        await alert_store.settle(session, FAILING, [])
        await alert_store.settle(session, FAILING, [acknowledged, open_one, other])
    async with database.begin() as session:
        assert await alert_store.standing(session, CHAIN, FAILING) == {}
        codes = [one.code for one in await alarm.listed(session)]
        assert codes == ["exit.other"]


async def test_looking_for_what_lasts_of_some_deals_uses_the_index(database):
    async with database.begin() as session:
        await session.execute(
            text(
                "INSERT INTO alerts (code, severity, subject, text, fields, deal_id, resolved_at)"
                " SELECT 'exit.failing', 'critical', n::text, '', '{}', md5(n::text)::uuid, now()"
                " FROM generate_series(1, 20000) AS n"
            )
        )
    async with database.engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        await connection.exec_driver_sql("ANALYZE alerts")
        plan = await connection.exec_driver_sql(
            "EXPLAIN SELECT 1 FROM alerts WHERE code = 'exit.failing' AND resolved_at IS NULL"
            " AND deal_id = ANY(ARRAY[md5('1')::uuid, md5('2')::uuid])"
        )
        assert "ix_alerts_deal_id" in "\n".join(plan.scalars())
