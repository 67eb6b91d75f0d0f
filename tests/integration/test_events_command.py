"""`holdfast events list` on a database that a listener has written."""

import asyncio
import json

import pytest
import pytest_asyncio

from holdfast.common.evm import address
from holdfast.common.ids import BankId, ChainId, new_deal_id, new_intent_id, new_leg_id
from holdfast.entry.cli.main import run
from holdfast.monitoring.events import AccountEvent, Effect, EventKind, Role, Watched
from holdfast.monitoring.store import events as store
from holdfast.transactions.model import Cause, Place
from tests.unit.entry.test_cli_main import process_as_before

__all__ = ["process_as_before"]

CHAIN = ChainId(138)
BANK = BankId("BANK001")
DEAL = new_deal_id()
OURS, FLOAT, OTHER, TOKEN = (address("0x" + digit * 40) for digit in "1234")
ACCOUNT = Watched(OURS, Role.DEAL, 1, DEAL, BANK)
CAUSE = Cause(new_intent_id(), new_leg_id(), DEAL, BANK)
HIGH = 2**100


def event(block, *, account=ACCOUNT, cause=None, kind=EventKind.TRANSFER):
    effect = Effect(kind, account.address, OTHER, TOKEN, HIGH)
    return AccountEvent(block, f"0x{block:064x}", 3, f"0x{block}", TOKEN, effect, account, cause)


@pytest_asyncio.fixture
async def heard(database):
    """One event of ours, one of somebody else's, one of the float; the newest left the chain."""
    float_ = Watched(FLOAT, Role.FLOAT, 1)
    found = [
        event(7, cause=CAUSE, kind=EventKind.SUPPLY),
        event(8),
        event(9, account=float_, kind=EventKind.APPROVAL),
    ]
    async with database.begin() as session:
        await store.add(session, CHAIN, found)
        await store.orphan(session, CHAIN, Place(8, "0x8"))


@pytest.fixture
def holdfast(database_url, monkeypatch, capsys):
    """Run `holdfast events` without a node; returns the exit code and what was printed."""
    monkeypatch.setenv("HOLDFAST_DATABASE_URL", database_url)
    monkeypatch.setenv("COLUMNS", "300")

    async def command(*arguments):
        capsys.readouterr()
        code = await asyncio.to_thread(run, ["events", *arguments])
        return code, capsys.readouterr().out

    return command


async def listed(holdfast, *arguments):
    code, out = await holdfast("list", *arguments, "--json")
    assert code == 0
    return json.loads(out)["events"]


async def test_events_are_listed_newest_first_with_whose_doing_they_were(holdfast, heard):
    found = await listed(holdfast)
    assert [(one["block_number"], one["foreign"], one["orphaned"]) for one in found] == [
        (9, True, True),
        (8, True, False),
        (7, False, False),
    ]
    newest, theirs, ours = found
    assert (newest["kind"], newest["role"], newest["deal_id"]) == ("approval", "float", None)
    assert (ours["deal_id"], ours["leg_id"]) == (str(DEAL), str(CAUSE.leg_id))
    assert (theirs["giver"], theirs["taker"], theirs["token"]) == (OURS, OTHER, TOKEN)
    assert (theirs["amount_units"], theirs["tx_hash"]) == (str(HIGH), "0x8")


@pytest.mark.parametrize(
    ("options", "blocks"),
    [
        (["--deal", str(DEAL)], [8, 7]),
        (["--deal", str(new_deal_id())], []),
        (["--foreign"], [9, 8]),
        (["--foreign", "--deal", str(DEAL)], [8]),
        (["--limit", "1"], [9]),
    ],
)
async def test_events_are_chosen_by_deal_cause_and_number(holdfast, heard, options, blocks):
    assert [one["block_number"] for one in await listed(holdfast, *options)] == blocks


async def test_the_table_tells_people_whose_doing_each_event_was(holdfast, heard):
    code, out = await holdfast("list")
    assert code == 0
    whose = [
        next(word for word in ("orphaned", "SOMEBODY ELSE'S", "ours") if word in line)
        for line in out.splitlines()
        if str(HIGH) in line
    ]
    assert whose == ["orphaned", "SOMEBODY ELSE'S", "ours"]


async def test_where_nothing_happened_the_list_is_empty(holdfast, database):
    assert await listed(holdfast) == []


@pytest.mark.parametrize(
    ("arguments", "code", "named"),
    [
        (["list", "--deal", "mine"], 3, "id.deal"),
        (["list", "--limit", "0"], 2, "usage"),
        (["list", "--limit", "many"], 2, "usage"),
        (["show", "1"], 2, "usage"),
    ],
)
async def test_what_cannot_be_meant_is_refused_by_code(holdfast, arguments, code, named):
    given, out = await holdfast(*arguments, "--json")
    assert (given, json.loads(out)["error"]["code"]) == (code, named)
