import asyncio
import contextlib

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, insert, select
from sqlalchemy.exc import IntegrityError

from holdfast.common.db import Database, Units, libpq_url, raw_connection
from holdfast.common.errors import Ambiguous, Broken, Transient
from holdfast.common.money import MAX_UINT256

units = Table(
    "units_for_tests",
    MetaData(),  # of its own: the product's must not know it
    Column("number", Integer, primary_key=True),
    Column("amount", Units),
)


@pytest.fixture
async def filled(database):
    async with database.begin() as session:
        await session.run_sync(units.create)
    return database


async def execute(database, statement):
    async with database.begin() as session:
        await session.exec_driver_sql(statement)


async def count(database):
    async with database.begin() as session:
        return (await session.exec_driver_sql("SELECT count(*) FROM units_for_tests")).scalar_one()


@pytest.mark.parametrize("amount", [0, 1, -1, 10**18, 2**63, MAX_UINT256, -MAX_UINT256, None])
async def test_base_units_are_stored_exactly(filled, amount):
    async with filled.begin() as session:
        await session.execute(insert(units).values(number=1, amount=amount))
    async with filled.begin() as session:
        read = (await session.execute(select(units.c.amount))).scalar_one()
    assert read == amount
    assert amount is None or type(read) is int


async def test_a_block_that_ends_is_committed_and_one_that_raises_is_not(filled):
    async def insert_and_fail():
        async with filled.begin() as session:
            await session.execute(insert(units).values(number=2))
            raise RuntimeError("planted")

    async with filled.begin() as session:
        await session.execute(insert(units).values(number=1))
    with pytest.raises(RuntimeError, match="planted"):
        await insert_and_fail()
    assert await count(filled) == 1


async def test_a_cancelled_block_is_rolled_back_and_its_connection_is_usable(database_url):
    database = Database.connect(database_url, pool_size=1, max_overflow=0)
    await execute(database, "CREATE TABLE units_for_tests (number integer)")
    inside = asyncio.Event()

    async def insert_and_wait():
        async with database.begin() as session:
            await session.exec_driver_sql("INSERT INTO units_for_tests VALUES (1)")
            inside.set()
            await asyncio.sleep(60)

    task = asyncio.create_task(insert_and_wait())
    await inside.wait()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert await count(database) == 0
    await database.close()


async def test_a_write_through_the_raw_connection_alone_is_committed(filled):
    async with filled.begin() as session:
        raw = await raw_connection(session)
        await raw.execute("INSERT INTO units_for_tests VALUES (1, 1)")
    assert await count(filled) == 1


async def test_a_database_that_is_away_is_transient():
    database = Database.connect("postgresql+psycopg://nobody@/none?host=/nonexistent")
    with pytest.raises(Transient) as caught:
        await execute(database, "SELECT 1")
    assert caught.value.code == "database.unavailable"
    await database.close()


async def test_a_closed_database_opens_no_connection_that_nobody_would_close(database_url):
    database = Database.connect(database_url)
    await execute(database, "SELECT 1")
    await database.close()
    with pytest.raises(Broken) as caught:
        await execute(database, "SELECT 1")
    assert caught.value.code == "database.closed"


async def test_a_connection_lost_before_the_commit_is_transient_and_the_pool_recovers(filled):
    with pytest.raises(Transient):
        await execute(filled, "SELECT pg_terminate_backend(pg_backend_pid())")
    assert await count(filled) == 0


async def test_after_a_restart_of_the_server_one_transaction_fails_and_the_rest_work(filled):
    async def occupied():
        async with filled.begin() as session:
            await session.exec_driver_sql("SELECT pg_sleep(0.2)")

    await asyncio.gather(*(occupied() for _ in range(4)))  # four connections wait in the pool
    kill_others = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    with pytest.raises(Transient):
        await execute(filled, f"{kill_others}; SELECT pg_terminate_backend(pg_backend_pid())")
    for _ in range(4):
        assert await count(filled) == 0


async def test_waiting_too_long_for_a_row_is_transient(filled):
    async def wait_for_lock():
        async with filled.begin() as session:
            await session.exec_driver_sql("SET LOCAL lock_timeout = '50ms'")
            await session.exec_driver_sql("SELECT * FROM units_for_tests FOR UPDATE")

    await execute(filled, "INSERT INTO units_for_tests VALUES (1, 1)")
    async with filled.begin() as session:
        await session.exec_driver_sql("SELECT * FROM units_for_tests FOR UPDATE")
        with pytest.raises(Transient):
            await wait_for_lock()


DIES_AT_COMMIT = """
CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER dies AFTER INSERT ON units_for_tests
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION die();
"""
REFUSES_AT_COMMIT = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '%s'; END $$;
CREATE CONSTRAINT TRIGGER refuses AFTER INSERT ON units_for_tests
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse();
"""
SERIALIZATION_FAILURE, CHECK_VIOLATION = "40001", "23514"


async def test_a_connection_lost_during_the_commit_is_ambiguous(filled):
    await execute(filled, DIES_AT_COMMIT)
    with pytest.raises(Ambiguous) as caught:
        await execute(filled, "INSERT INTO units_for_tests VALUES (1, 1)")
    assert caught.value.code == "database.commit_unknown"


async def test_a_commit_that_the_server_refused_is_transient(filled):
    await execute(filled, REFUSES_AT_COMMIT % SERIALIZATION_FAILURE)
    with pytest.raises(Transient):
        await execute(filled, "INSERT INTO units_for_tests VALUES (1, 1)")
    assert await count(filled) == 0


async def test_a_broken_constraint_is_the_stores_to_explain(filled):
    await execute(filled, REFUSES_AT_COMMIT % CHECK_VIOLATION)
    with pytest.raises(IntegrityError):
        await execute(filled, "INSERT INTO units_for_tests VALUES (1, 1)")


async def test_no_transaction_may_stay_open_for_long(database):
    async with database.begin() as session:
        for name in ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout"):
            shown = await session.exec_driver_sql(f"SHOW {name}")
            assert shown.scalar_one() in {"5s", "10s", "30s"}


def test_the_address_for_the_driver_itself_names_no_driver():
    assert libpq_url("postgresql+psycopg://u@/x?host=/s") == "postgresql://u@/x?host=/s"


@pytest.mark.parametrize("then", ["SELECT 1", None], ids=["statement", "commit"])
async def test_a_transaction_that_stood_still_too_long_wrote_nothing(database, then):
    """As of a worker that was frozen in the middle of one, and woke."""

    async def freeze():
        async with database.begin() as session:
            await session.exec_driver_sql("CREATE TABLE written_while_frozen ()")
            await session.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 50")
            await asyncio.sleep(0.5)
            if then is not None:
                await session.exec_driver_sql(then)

    with pytest.raises(Transient) as caught:
        await freeze()
    assert caught.value.code == "database.unavailable"
    async with database.begin() as session:
        found = await session.exec_driver_sql("SELECT to_regclass('written_while_frozen')")
        assert found.scalar_one() is None
