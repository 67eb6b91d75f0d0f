"""`holdfast worker status`: what somebody on call asks first, from the database alone."""

import asyncio
import json
import os

import psycopg
import pytest

from holdfast.common.db import libpq_url
from holdfast.common.ids import new_deal_id
from holdfast.common.leader import LeaderLock
from holdfast.common.queue import Queue
from holdfast.entry.cli.main import run
from tests.unit.entry.test_cli_main import process_as_before

__all__ = ["process_as_before"]


TAKEN = "status = 'doing', worker_id = (SELECT {}(id) FROM procrastinate_workers)"


@pytest.fixture
def status(database_url, monkeypatch, capsys):
    """The report; nothing but the database is known to the command."""
    monkeypatch.setenv("HOLDFAST_DATABASE_URL", database_url)

    def ask(*arguments):
        capsys.readouterr()
        assert run(["worker", "status", *arguments]) == 0
        return capsys.readouterr().out

    return ask


async def asked(status):
    return json.loads(await asyncio.to_thread(status, "--json"))


async def execute(url, statement, *values):
    async with await psycopg.AsyncConnection.connect(libpq_url(url), autocommit=True) as own:
        await own.execute(statement, values)


async def test_an_empty_desk_has_nothing_to_tell(status):
    assert await asked(status) == {
        "leads": [],
        "queues": [],
        "deals": {"overdue": 0, "latest_by_seconds": 0.0},
    }


async def test_leads_say_who_leads_and_who_fell_silent(status, database_url):
    async with LeaderLock(database_url, "chain:138").held():
        (lead,) = (await asked(status))["leads"]
        assert lead["is_led"]
        assert (lead["name"], lead["epoch"]) == ("chain:138", 1)
        assert lead["holder"].endswith(f"/{os.getpid()}")
        assert lead["silent_seconds"] < 3
        assert "chain:138" in await asyncio.to_thread(status)
    (lead,) = (await asked(status))["leads"]
    assert (lead["is_led"], lead["holder"]) == (False, None)
    await execute(
        database_url, "UPDATE leases SET holder = 'a/1', renewed_at = now() - interval '9 s'"
    )
    (lead,) = (await asked(status))["leads"]
    assert not lead["is_led"]
    assert 9 <= lead["silent_seconds"] < 30
    assert "a/1 is silent" in await asyncio.to_thread(status)


async def test_queues_say_what_waits_and_what_was_abandoned(status, database, database_url):
    async with database.begin() as session:
        await Queue(database_url).wake(session, *(new_deal_id() for _ in range(5)))
    jobs = "UPDATE procrastinate_jobs SET "
    await execute(database_url, f"{jobs} scheduled_at = now() + interval '1 h' WHERE id = 2")
    await execute(database_url, f"{jobs} status = 'failed' WHERE id = 3")
    await execute(
        database_url,
        "INSERT INTO procrastinate_workers (last_heartbeat)"
        " VALUES (now()), (now() - interval '1 min')",
    )
    for job, worker in ((4, "min"), (5, "max")):
        await execute(database_url, f"{jobs} {TAKEN.format(worker)} WHERE id = {job}")
    (queue,) = (await asked(status))["queues"]
    assert queue == {
        "queue": "deals",
        "waiting": 1,
        "later": 1,
        "running": 1,
        "abandoned": 1,
        "failed": 1,
    }
