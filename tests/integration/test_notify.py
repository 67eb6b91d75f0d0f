import asyncio

import psycopg
import pytest

from holdfast.common.db import libpq_url
from holdfast.common.errors import Transient
from holdfast.common.notify import Signal, notify

HANGS_SECONDS = 30  # a bound for what never comes


async def test_word_comes_when_the_transaction_commits(database, database_url):
    async with Signal(database_url, "sends") as signal:
        async with database.begin() as session:
            await notify(session, "sends")
            assert not await signal.wait(0.1)
        assert await signal.wait(HANGS_SECONDS)


async def test_word_of_a_transaction_that_rolls_back_never_comes(database, database_url):
    async def notify_and_fail():
        async with database.begin() as session:
            await notify(session, "sends")
            raise RuntimeError("planted")

    async with Signal(database_url, "sends") as signal:
        with pytest.raises(RuntimeError, match="planted"):
            await notify_and_fail()
        assert not await signal.wait(0.2)


async def test_words_that_came_while_nobody_waited_count_as_one(database, database_url):
    async with Signal(database_url, "sends") as signal:
        for _ in range(3):
            async with database.begin() as session:
                await notify(session, "sends")
        # Whoever listens hears its own word last, and with it all that were said before.
        await signal._connection.execute("NOTIFY sends")
        assert await signal.wait(HANGS_SECONDS)
        assert not await signal.wait(0.1)


async def test_word_on_another_channel_is_not_ours(database, database_url):
    async with Signal(database_url, "sends") as signal:
        async with database.begin() as session:
            await notify(session, "other")
        assert not await signal.wait(0.2)


async def test_without_any_word_the_poll_still_ticks(database_url):
    async with Signal(database_url, "sends", poll_seconds=0.05) as signal:
        heard = []
        async with asyncio.timeout(HANGS_SECONDS):
            async for word in signal.ticks():
                heard.append(word)
                if len(heard) == 3:
                    break
    assert heard == [False, False, False]


async def test_a_lost_connection_is_transient(database_url):
    async with Signal(database_url, "sends") as signal:
        async with await psycopg.AsyncConnection.connect(libpq_url(database_url)) as own:
            await own.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'holdfast-listen-sends'"
                " AND datname = current_database()"
            )
        with pytest.raises(Transient) as caught:
            await signal.wait(HANGS_SECONDS)
    assert caught.value.code == "signal.lost"
