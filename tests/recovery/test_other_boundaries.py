"""SIGKILL at the boundaries that are not a group's own: the job engine, the desk, replacements."""

import asyncio
import contextlib
import json
import subprocess
import sys

import psycopg
import pytest

from holdfast.common.alerts import Alert, Severity
from holdfast.common.db import libpq_url
from holdfast.execution.desk import Order
from holdfast.model.deal import TERMINAL, DealEvent, DealStatus, HoldReason
from tests.recovery.groups import (
    CHORE,
    DESK,
    GROUPS,
    LISTENER,
    ONCE,
    REORG,
    REPLACEMENT,
    ROUNDS,
    STANDSTILL,
)
from tests.recovery.scene import StagedDeal, assert_ledger_is_the_chain, assert_same_deal
from tests.support.checker import Start
from tests.support.deals import ALICE
from tests.support.fault_proxy import fault_proxy
from tests.support.onchain import OnChain
from tests.support.witness import Places
from tests.support.worker_process import KILLED

OPEN, PURCHASE = GROUPS[1:3]
MOST_DEATHS = 9
GWEI = 10**9
HANGS_SECONDS = 120  # a bound for what never comes
TRANSFER = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"


@pytest.mark.parametrize("point", ROUNDS)
async def test_a_deal_whose_workers_all_die_there_is_the_same_deal(scene, undisturbed, point):
    deal, died = await scene.deal(), 0
    while died < MOST_DEATHS and (await deal.record()).status not in TERMINAL:
        scene.bury_the_dead()
        died += await dies_or_ends(deal, scene.worker(crash_at=point))
    assert died >= MOST_DEATHS // 2
    scene.bury_the_dead()
    assert_same_deal(deal, await deal.finished(), undisturbed)


async def dies_or_ends(deal, worker):
    """Whether the worker died before the deal was over; one that did not is killed."""
    async with asyncio.timeout(HANGS_SECONDS):
        while worker.exit_code is None:
            if (await deal.record()).status in TERMINAL:
                await worker.kill()
                return False
            await asyncio.sleep(0.03)
    assert worker.exit_code == KILLED, worker.words()
    return True


@pytest.mark.parametrize("point", ONCE)
async def test_a_worker_killed_while_it_looks_for_overdue_deals_leaves_the_same_deal(
    scene, undisturbed, point
):
    deal = await scene.deal()
    with psycopg.connect(libpq_url(scene.database_url)) as connection:
        connection.execute("DELETE FROM procrastinate_jobs")  # the deal's own wake-up is lost
    await deal.dies_at(point)
    assert deal.signed() == 0
    assert_same_deal(deal, await deal.finished(), undisturbed)


# The desk: a command of a person, killed


NOBODY = "0x" + "0" * 40
RUN = (
    "deal run --total-eth-value 10000000 --bank BANK001 --module MODULE001 "
    "--as alice --approve-as alice --execute"
)


@pytest.mark.parametrize("point", DESK)
async def test_a_command_killed_around_its_commit_has_made_a_whole_deal_or_none(
    scene, undisturbed, point
):
    profile = json.loads(scene.devnet.profile_path.read_text())
    start = Start.read(scene.chain, Places.of(profile, deal=NOBODY))
    words = RUN.split()
    assert (await command(scene, point, words))[0] == KILLED
    made = await scene.system.desk.recent()
    assert len(made) == (point == "desk.after_commit")
    if not made:
        assert (await command(scene, None, words))[0] == 0
        made = await scene.system.desk.recent()
    (record,) = made
    places = Places.of(profile, record.plan.accounts.deal)
    deal = StagedDeal(scene, record.deal_id, record.deal_number, places, start)
    assert_same_deal(deal, await deal.finished(), undisturbed)


async def command(scene, point, words):
    """Run `holdfast` as a person would; the exit code and what it printed."""
    environment = scene.environment(**({"crash_at": point} if point else {}))
    given = [f"{name}={value}" for name, value in environment.items()]
    process = await asyncio.create_subprocess_exec(
        "/usr/bin/env",
        *given,
        sys.executable,
        "-m",
        "holdfast",
        *words,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    return process.returncode, output.decode()


# A replacement: the base fee rises above what was offered


@pytest.mark.parametrize("point", REPLACEMENT)
async def test_a_worker_killed_while_it_offers_more_gas_leaves_the_same_deal(
    scene, undisturbed, point
):
    deal, control = await scene.deal(), scene.devnet.control
    await deal.dies_at(f"advance.after_commit:{OPEN.number}")
    control.set_manual_mining()
    async with fault_proxy(scene.devnet.url) as node, mining(control, 4 * GWEI):
        await deal.dies_at(point, rpc_url=node.url)
        assert len(deal.observed().effects) == OPEN.before
        worker = scene.worker(rpc_url=node.url)
        await deal.mined(OPEN.after, seconds=HANGS_SECONDS)
        await worker.kill()
        assert tried(scene) > deal.signed()
    control.set_automine()
    assert_same_deal(deal, await deal.finished(), undisturbed)


@contextlib.asynccontextmanager
async def mining(control, base_fee_wei):
    """A block a few times a second, all at one base fee."""

    async def mine():
        while True:
            fee = hex(base_fee_wei)
            await asyncio.to_thread(control.rpc.call, "anvil_setNextBlockBaseFeePerGas", fee)
            await asyncio.to_thread(control.mine)
            await asyncio.sleep(0.3)

    task = asyncio.create_task(mine())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def tried(scene):
    with psycopg.connect(libpq_url(scene.database_url)) as connection:
        return connection.execute("SELECT count(*) FROM attempts").fetchone()[0]


# A reorg: blocks that decided about legs are no longer the chain's


@pytest.mark.parametrize("point", REORG)
async def test_a_worker_killed_while_it_takes_a_block_back_leaves_the_same_deal(
    scene, undisturbed, point
):
    expect_reorgs(scene.devnet.profile_path)
    deal, control = await scene.deal(), scene.devnet.control
    await deal.dies_at(f"advance.after_commit:{PURCHASE.number}")
    control.set_manual_mining()
    worker = scene.worker(crash_at=point)
    await worker.says("tx.started")
    control.rpc.call("anvil_reorg", 1, [])  # the last leg of the group before is undone
    assert await worker.ended(HANGS_SECONDS) == KILLED, worker.words()
    control.set_interval(1)
    scene.bury_the_dead()
    outcome = await deal.finished()
    verdict = deal.judged_by(undisturbed.effects)
    assert verdict.is_clean, verdict
    assert_ledger_is_the_chain(outcome)  # its lines are more: what was taken back is reversed


def expect_reorgs(path):
    """Have the chain's profile say that blocks may go until four others follow them."""
    path.write_text(json.dumps({**json.loads(path.read_text()), "finality": 4}))


# A standstill: somebody else sends with the deal's key between two groups


@pytest.mark.parametrize("point", STANDSTILL)
async def test_a_worker_killed_while_its_deal_stops_leaves_a_deal_that_stops_once(
    scene, undisturbed, point
):
    deal, chain = await scene.deal(), OnChain(scene.devnet)
    await deal.dies_at(f"advance.before_commit:{PURCHASE.number}")
    account = (await deal.record()).plan.accounts.deal
    ether = chain.native(account)
    chain.send_as(account, account, gas=21_000)
    # Gas that the books do not know would stop the deal by another way, before it signs.
    chain.rpc.call("anvil_setBalance", account, hex(ether))
    scene.bury_the_dead()
    await deal.dies_at(point)
    is_written = (await deal.record()).status is DealStatus.HOLDING
    assert is_written == (point == "still.after_commit")
    scene.bury_the_dead()
    async with scene.working():
        held = await deal.until(lambda record: record.status is DealStatus.HOLDING)
        assert held.hold_reason is HoldReason.FOREIGN_USE
        assert deal.signed() == OPEN.after
        await scene.system.desk.give(deal.deal_id, Order(DealEvent.RESUME, ALICE))
        outcome = await deal.over()
    assert outcome.status is undisturbed.status
    made = [effect.shape for effect in outcome.effects]
    assert made == [effect.shape for effect in undisturbed.effects]  # each once, in order
    assert told_of(scene, "tx.foreign_nonce") == 1


def told_of(scene, code):
    """How often an alert was raised, delivered or not."""
    with psycopg.connect(libpq_url(scene.database_url)) as connection:
        query = "SELECT coalesce(sum(raised), 0) FROM alerts WHERE code = %s"
        return connection.execute(query, (code,)).fetchone()[0]


# The listener: a page of events and the cursor's move past it


@pytest.mark.parametrize("point", LISTENER)
async def test_a_worker_killed_around_the_listeners_commit_has_every_event_once(
    scene, undisturbed, point
):
    deal = await scene.deal()
    for _ in range(3):
        scene.bury_the_dead()
        await dies_while_blocks_come(scene, point)
    scene.bury_the_dead()
    async with scene.working():
        outcome = await deal.over()
        account = (await deal.record()).plan.accounts.deal
        wanted = transfers(OnChain(scene.devnet), account)
        assert len(wanted) > 10
        async with asyncio.timeout(HANGS_SECONDS):
            while not wanted <= set(heard(scene)):  # noqa: ASYNC110 - another process's rows
                await asyncio.sleep(0.1)
        assert len(heard(scene)) == len(set(heard(scene)))
    assert_same_deal(deal, outcome, undisturbed)


async def dies_while_blocks_come(scene, point):
    """A worker that was killed at `point`; a deal that is over makes no block to commit."""
    worker = scene.worker(crash_at=point)
    async with asyncio.timeout(HANGS_SECONDS):
        while worker.exit_code is None:
            scene.devnet.control.mine()
            await asyncio.sleep(0.3)
    assert worker.exit_code == KILLED, worker.words()


def transfers(chain, account):
    """Where on chain the tokens' transfers from or to `account` are, asked of the node itself."""
    word = "0x" + account[2:].lower().rjust(64, "0")
    found = set()
    for topics in ([TRANSFER, word], [TRANSFER, None, word]):
        asked = {"fromBlock": "0x0", "address": list(chain.tokens.values()), "topics": topics}
        logs = chain.rpc.call("eth_getLogs", asked)
        found |= {(int(one["blockNumber"], 16), int(one["logIndex"], 16)) for one in logs}
    return found


def heard(scene):
    with psycopg.connect(libpq_url(scene.database_url)) as connection:
        return connection.execute("SELECT block_number, log_index FROM account_events").fetchall()


# A chore: the delivery of an alert


@pytest.mark.parametrize("point", CHORE)
async def test_an_alert_whose_delivery_kills_a_worker_is_delivered_by_the_next(scene, point):
    alert = Alert("core.fell", Severity.CRITICAL, "0xcore", "the core balance fell")
    async with scene.system.db.begin() as session:
        await scene.system.notices.alerts.raised(session, alert)
    worker = scene.worker(crash_at=point)
    assert await worker.ended(HANGS_SECONDS) == KILLED
    assert left_to_do(scene) == 1
    with psycopg.connect(libpq_url(scene.database_url)) as connection:
        connection.execute("UPDATE chores SET next_at = now()")
    scene.bury_the_dead()
    other = scene.worker()
    async with asyncio.timeout(HANGS_SECONDS):
        while left_to_do(scene):  # noqa: ASYNC110 - another process's rows
            await asyncio.sleep(0.1)
    assert other.exit_code is None


def left_to_do(scene):
    with psycopg.connect(libpq_url(scene.database_url)) as connection:
        return connection.execute("SELECT count(*) FROM chores").fetchone()[0]
