"""Trading states in Postgres: who changes one waits for who adds risk, and the other way round."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import text

from holdfast.audit.service import DESK as DESK_RECORD
from holdfast.audit.service import AuditTrail
from holdfast.common.errors import Broken
from holdfast.common.ids import BankId, ChainId, PrincipalId
from holdfast.common.queue import Queue
from holdfast.common.system_clock import SystemClock
from holdfast.execution.waiting import TradingWaits
from holdfast.monitoring.store import alerts
from holdfast.monitoring.wiring import notices_of
from holdfast.risk.store import trading as store
from holdfast.risk.switch import KillSwitch
from holdfast.risk.trading import DESK, STABLE, Scope, Source, TradingState
from tests.integration.test_execution_store import stored
from tests.support.rows import rows

ALICE = PrincipalId("alice")
BANK, CHAIN = BankId("BANK001"), ChainId(31337)
ON_CHAIN = Scope(chain=CHAIN)
HOLDERS = 4
HANGS_SECONDS = 30  # a bound for what never comes
A_MOMENT = 0.3  # seconds in which a statement that does not wait is long done


@pytest.fixture
def switch(database, database_url):
    clock = SystemClock()
    waiting = TradingWaits(Queue(database_url))
    return KillSwitch(
        AuditTrail(clock), notices_of(database_url, database, ()).alerts, clock, waiting
    )


async def turn(database, switch, scope, state):
    async with database.begin() as session:
        return await switch.turn(session, scope, state, by=ALICE, reason="looking into it")


async def in_force(database, switch, bank=BANK, chain=CHAIN):
    async with database.begin() as session:
        return await switch.glance(session, bank, chain)


async def test_a_new_database_is_active(database, switch):
    found = await in_force(database, switch)
    assert (found.state, found.because.set_by) == (TradingState.ACTIVE, "migration")


async def test_a_setting_is_found_again_as_it_was_made(database, switch):
    made = await turn(database, switch, ON_CHAIN, TradingState.HALTED)
    async with database.begin() as session:
        assert made in await switch.settings(session)
    assert (await in_force(database, switch)).because == made
    assert (await in_force(database, switch, chain=ChainId(1))).is_active


async def test_each_source_has_one_setting_a_scope(database, switch):
    for state in (TradingState.HALTED, TradingState.REDUCING, TradingState.ACTIVE):
        await turn(database, switch, ON_CHAIN, state)
    async with database.begin() as session:
        await switch.watch(session, CHAIN, ["I10.oracle_age"])
        found = await store.settings(session, [ON_CHAIN])
    assert [(one.source, one.state) for one in found] == [
        (Source.MONITOR, TradingState.REDUCING),
        (Source.PERSON, TradingState.ACTIVE),
    ]
    assert (await in_force(database, switch)).state is TradingState.REDUCING


async def test_a_cause_that_is_still_seen_moves_only_when_it_was_seen(database, switch):
    async with database.begin() as session:
        await switch.watch(session, CHAIN, ["I10.oracle_age"])
        (before,) = await store.settings(session, [ON_CHAIN])
        later = before.seen_at + timedelta(minutes=1)
        await store.note_seen(session, before, later)
        await store.note_seen(session, before, before.seen_at)  # a late look takes nothing back
        (after,) = await store.settings(session, [ON_CHAIN])
    assert (after.seen_at, after.since) == (later, before.since)


async def test_the_chain_is_active_again_when_its_cause_was_long_gone(database, switch):
    async with database.begin() as session:
        await switch.watch(session, CHAIN, ["I10.oracle_age"])
        long_ago = SystemClock().now() - STABLE
        await session.execute(
            text("UPDATE trading_states SET seen_at = :at WHERE source = 'monitor'"),
            {"at": long_ago},
        )
        await switch.watch(session, CHAIN, [])
    assert (await in_force(database, switch)).is_active


async def test_what_was_turned_is_in_the_desks_record_and_among_the_alerts(database, switch):
    await turn(database, switch, DESK, TradingState.HALTED)
    await turn(database, switch, Scope(bank=BANK), TradingState.REDUCING)
    await turn(database, switch, DESK, TradingState.ACTIVE)
    async with database.begin() as session:
        assert (await switch.audit.verify(session, DESK_RECORD)).length == 3
        kept = await alerts.recent(session, with_closed=True, limit=9)
    found = {(one.code, one.subject, one.resolved_at is None) for one in kept}
    assert found == {
        ("desk.halted", "desk", False),
        ("desk.reducing", "bank:BANK001", True),
        ("desk.active", "desk", False),  # told, and nothing is left to do
    }


async def woken(database):
    jobs = "SELECT args->>'deal_id' FROM procrastinate_jobs WHERE task_name = 'advance'"
    return {row[0] for row in await rows(database, jobs)}


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        (DESK, {1, 2, 3}),
        (Scope(bank=BANK), {1, 2}),
        (Scope(chain=ChainId(138)), {1, 2, 3}),
        (Scope(chain=ChainId(1)), set()),
    ],
)
async def test_letting_more_be_done_wakes_the_deals_that_wait_for_it(
    database, switch, scope, expected
):
    waiting = {"waits_for": "trading"}
    deals = {
        1: await stored(database, 1, status="approved", **waiting),
        2: await stored(database, 2, status="executing", **waiting),
        3: await stored(database, 3, status="executing", participant_bank_id="BANK002", **waiting),
        4: await stored(database, 4, status="executing", waits_for="queue"),
    }
    await turn(database, switch, scope, TradingState.HALTED)
    assert await woken(database) == set()
    await turn(database, switch, scope, TradingState.REDUCING)
    found = await woken(database)
    assert found == {str(deals[number].deal_id) for number in expected}


async def test_deals_are_woken_only_with_what_lets_them_go_on(database, switch):
    await stored(database, 1, status="approved", waits_for="trading")
    await turn(database, switch, DESK, TradingState.HALTED)

    async def activate_and_fail():
        async with database.begin() as session:
            await switch.turn(session, DESK, TradingState.ACTIVE, by=ALICE, reason="why")
            raise LookupError

    with pytest.raises(LookupError):
        await activate_and_fail()
    assert await woken(database) == set()


async def test_a_change_that_is_rolled_back_leaves_nothing(database, switch):
    async def turn_and_fail():
        async with database.begin() as session:
            await switch.turn(session, DESK, TradingState.HALTED, by=ALICE, reason="why")
            raise LookupError

    with pytest.raises(LookupError):
        await turn_and_fail()
    assert (await in_force(database, switch)).is_active
    async with database.begin() as session:
        assert (await switch.audit.verify(session, DESK_RECORD)).length == 0


@pytest.mark.parametrize("scope", [DESK, ON_CHAIN, Scope(bank=BANK)])
async def test_a_halt_waits_for_legs_that_are_being_recorded(database, switch, scope):
    """It returns only when nobody can commit such legs any more, whatever its scope."""
    async with database.begin() as session:
        assert (await switch.held(session, BANK, CHAIN)).is_active
        halting = asyncio.create_task(turn(database, switch, scope, TradingState.HALTED))
        await asyncio.sleep(A_MOMENT)
        assert not halting.done()
        assert (await switch.glance(session, BANK, CHAIN)).is_active  # until this commits
    await halting
    assert (await in_force(database, switch)).state is TradingState.HALTED


@pytest.mark.parametrize("scope", [DESK, ON_CHAIN, Scope(bank=BANK)])
async def test_legs_wait_for_a_halt_that_is_about_to_commit_and_see_it(database, switch, scope):
    async def look():
        async with database.begin() as session:
            return await switch.held(session, BANK, CHAIN)

    async with database.begin() as session:
        await switch.turn(session, scope, TradingState.HALTED, by=ALICE, reason="why")
        looking = asyncio.create_task(look())
        await asyncio.sleep(A_MOMENT)
        assert not looking.done()
    assert (await looking).state is TradingState.HALTED


async def test_deals_do_not_wait_for_each_other(database, switch):
    async with database.begin() as first, database.begin() as second:
        await switch.held(first, BANK, CHAIN)
        async with asyncio.timeout(HANGS_SECONDS):
            assert (await switch.held(second, BANK, CHAIN)).is_active


async def test_of_two_changes_at_once_both_are_made_one_after_the_other(database, switch):
    await asyncio.gather(
        *(turn(database, switch, DESK, state) for state in TradingState),
        turn(database, switch, ON_CHAIN, TradingState.REDUCING),
    )
    async with database.begin() as session:
        assert (await switch.audit.verify(session, DESK_RECORD)).length == 4


async def test_a_halt_comes_between_many_who_hold_the_state_one_after_the_other(database, switch):
    """They never leave a gap: a row lock, which newcomers share, would make it wait for one."""
    is_over = asyncio.Event()

    async def hold_again_and_again():
        while not is_over.is_set():
            async with database.begin() as session:
                await switch.held(session, BANK, CHAIN)
                await asyncio.sleep(A_MOMENT)

    async def begin(index):
        await asyncio.sleep(index * A_MOMENT / HOLDERS)
        await hold_again_and_again()

    holders = [asyncio.create_task(begin(index)) for index in range(HOLDERS)]
    await asyncio.sleep(A_MOMENT)
    try:
        async with asyncio.timeout(HANGS_SECONDS):
            await turn(database, switch, DESK, TradingState.HALTED)
            assert (await in_force(database, switch)).state is TradingState.HALTED
        assert not any(holder.done() for holder in holders)
    finally:
        is_over.set()
        await asyncio.gather(*holders)


async def test_without_the_desks_own_state_nobody_adds_risk_until_it_is_set(database, switch):
    async with database.begin() as session:
        await session.execute(text("DELETE FROM trading_states"))
    with pytest.raises(Broken) as caught:
        async with database.begin() as session:
            await switch.held(session, BANK, CHAIN)
    assert caught.value.code == "desk.no_state"
    await turn(database, switch, DESK, TradingState.ACTIVE)
    assert (await in_force(database, switch)).is_active
