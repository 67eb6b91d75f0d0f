"""`holdfast tx` from the command line to the chain."""

import asyncio
import json

import pytest
import pytest_asyncio
import structlog

from holdfast.entry.cli import main
from holdfast.model.leg import ExpectedEvent
from holdfast.transactions.model import IntentStatus
from tests.devnet.test_transactions_loop import AMBIGUOUS, LANDED, desk
from tests.support.transactions import wish

__all__ = ["desk"]


@pytest.fixture
def environment(monkeypatch, devnet, database_url, tmp_path):
    for name, value in {
        "STATE_DIR": str(tmp_path),
        "DATABASE_URL": database_url,
        "PROFILE": str(devnet.profile_path),
        "LOG_LEVEL": "error",
    }.items():
        monkeypatch.setenv(f"HOLDFAST_{name}", value)
    monkeypatch.setenv("COLUMNS", "200")
    yield
    structlog.reset_defaults()


@pytest.fixture
def cli(environment, capsys):
    async def run(*arguments):
        capsys.readouterr()  # what the loop logged meanwhile
        code = await asyncio.to_thread(main.run, ["tx", *arguments, "--json"])
        return code, json.loads(capsys.readouterr().out)

    return run


@pytest_asyncio.fixture
async def silent(desk):
    """An intent whose transaction succeeded without the event that would prove it."""
    one = wish(expected=ExpectedEvent(desk.devnet.profile.weth.require_address(), (b"\x01" * 32,)))
    async with desk.running():
        await desk.record([one])
        await desk.reach([one], AMBIGUOUS)
    return one


async def test_a_case_is_listed_shown_planned_and_resolved(cli, desk, silent):
    intent = str(silent.intent_id)
    code, listed = await cli("inbox")
    assert code == 0
    (case,) = listed["cases"]
    assert (case["intent_id"], case["status"], case["reason"]) == (
        intent,
        "ambiguous",
        "event_missing",
    )
    assert case["actions"] == ["accept-outcome"]
    assert case["evidence"]["tx_hash"] == case["attempts"][0]["tx_hash"]

    code, shown = await cli("show", intent)
    assert code == 0
    assert shown["now"]["account_nonce"] == 1
    assert shown["now"]["receipt"]["succeeded"]
    (plan,) = shown["plans"]
    assert plan["ready"]

    stated = ("accept-outcome", "--outcome", "landed", "--reason", "the explorer shows it")
    code, planned = await cli("resolve", intent, *stated)
    assert (code, planned["dry_run"], planned["ready"]) == (0, True, True)
    assert (await desk.outcomes([silent]))[0].status is AMBIGUOUS

    code, done = await cli("resolve", intent, *stated, "--as", "alice", "--execute")
    assert (code, done["dry_run"]) == (0, False)
    assert (await desk.outcomes([silent]))[0].status is LANDED
    assert (await cli("inbox"))[1] == {"cases": []}


async def test_an_action_that_is_not_safe_is_refused_by_the_code_of_what_it_needs(
    cli, desk, silent
):
    intent = str(silent.intent_id)
    code, planned = await cli("resolve", intent, "cancel", "--reason", "no")
    assert (code, planned["ready"]) == (0, False)
    failing = [check["code"] for check in planned["checks"] if not check["holds"]]
    assert failing == ["tx.repair_mined", "tx.repair_nonce_used"]
    code, refused = await cli("resolve", intent, "cancel", "--reason", "no", "--execute")
    assert code == 3
    assert refused["error"]["code"] == "tx.repair_mined"
    assert (await desk.outcomes([silent]))[0].status is IntentStatus.AMBIGUOUS


async def test_what_is_typed_wrong_is_told_and_nothing_is_done(cli, silent):
    code, told = await cli("resolve", str(silent.intent_id), "rebroadcast", "--reason", " ")
    assert (code, told["error"]["code"]) == (3, "tx.reason")
    code, told = await cli("show", "nonsense")
    assert (code, told["error"]["code"]) == (3, "id.intent")
    code, told = await cli("show", "00000000-0000-0000-0000-000000000000")
    assert (code, told["error"]["code"]) == (3, "tx.not_found")
    code, told = await cli("resolve", str(silent.intent_id), "explode", "--reason", "x")
    assert code == 2


async def test_people_get_tables(environment, capsys, silent):
    intent = str(silent.intent_id)
    assert await asyncio.to_thread(main.run, ["tx", "inbox"]) == 0
    assert "event_missing" in capsys.readouterr().out
    assert await asyncio.to_thread(main.run, ["tx", "show", intent]) == 0
    assert "accept-outcome: ready" in capsys.readouterr().out
    resolve = ["tx", "resolve", intent, "cancel", "--reason", "no"]
    assert await asyncio.to_thread(main.run, resolve) == 0
    shown = capsys.readouterr()
    assert "tx.repair_mined" in shown.out
    assert "Nothing was done" in shown.err
