import asyncio
from datetime import UTC, datetime
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from holdfast.audit.model import Act, start
from holdfast.audit.service import AuditTrail
from holdfast.common.errors import Broken
from holdfast.common.ids import BankId, ChainId, DealId

DEAL, OTHER = DealId(UUID(int=1)), DealId(UUID(int=2))
NOON = datetime(2026, 1, 2, 12, 30, 15, 123_456, tzinfo=UTC)


class NoonClock:
    def now(self):
        return NOON

    def monotonic_seconds(self):
        return 0.0


TRAIL = AuditTrail(NoonClock())
# Somebody who waits for this very transaction: other tests share the server.
WAITERS = text(
    "SELECT count(*) FROM pg_locks"
    " WHERE NOT granted AND transactionid = CAST(pg_current_xact_id() AS xid)"
)


def act(action, deal=DEAL, **detail):
    return Act(deal, BankId("BANK001"), ChainId(138), "alice", action, str(deal), detail)


async def until_somebody_waits(session):
    while not (await session.execute(WAITERS)).scalar_one():  # noqa: ASYNC110 - another process
        await asyncio.sleep(0.01)


async def record(database, *acts):
    async with database.begin() as session:
        return await TRAIL.record(session, *acts)


async def verify(database, deal=DEAL):
    async with database.begin() as session:
        return await TRAIL.verify(session, deal)


async def test_what_was_recorded_in_several_transactions_verifies_as_one_chain(database):
    await record(database, act("plan", size=10**40, note="größer\0"), act("submit"))
    last = await record(database, act("approve", by=["bob", None, True, {"n": -1}]))
    assert await verify(database) == last
    assert last.length == 3


async def test_each_deal_has_a_chain_of_its_own(database):
    await record(database, act("plan"))
    await record(database, act("plan", OTHER))
    assert (await verify(database, OTHER)).length == 1
    assert await verify(database, DealId(UUID(int=3))) == start(DealId(UUID(int=3)))


async def test_what_the_caller_rolls_back_was_never_recorded(database):
    async def record_and_fail():
        async with database.begin() as session:
            await TRAIL.record(session, act("plan"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await record_and_fail()
    assert (await verify(database)).length == 0


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_entries SET actor = 'mallory'",
        "DELETE FROM audit_entries",
        "TRUNCATE audit_entries",
    ],
)
async def test_the_database_refuses_to_change_the_record(database, statement):
    await record(database, act("plan"))
    with pytest.raises(IntegrityError, match="append-only"):
        async with database.begin() as session:
            await session.execute(text(statement))
    assert (await verify(database)).length == 1


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_entries SET actor = 'mallory' WHERE seq = 2",
        'UPDATE audit_entries SET detail = \'{"by":"mallory"}\' WHERE seq = 2',
        "UPDATE audit_entries SET at = at + interval '1 microsecond' WHERE seq = 2",
        "UPDATE audit_entries SET participant_bank_id = 'BANK002' WHERE seq = 2",
        "DELETE FROM audit_entries WHERE seq = 2",
    ],
)
async def test_whoever_gets_past_the_triggers_is_found_by_the_chain(database, statement):
    await record(database, act("plan"), act("submit", by="alice"), act("approve"))
    async with database.begin() as session:
        await session.execute(text("ALTER TABLE audit_entries DISABLE TRIGGER ALL"))
        await session.execute(text(statement))
    with pytest.raises(Broken) as caught:
        await verify(database)
    assert (caught.value.code, caught.value.fields["seq"]) == ("audit.chain", 2)


async def test_two_writers_without_the_deals_lock_cannot_fork_the_chain(database):
    async with database.begin() as session:
        await TRAIL.record(session, act("first"))
        second = asyncio.create_task(record(database, act("second")))
        async with asyncio.timeout(30):
            await until_somebody_waits(session)
    with pytest.raises(IntegrityError):
        await second
    assert (await verify(database)).length == 1
