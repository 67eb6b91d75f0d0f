"""`holdfast risk exits`: what is shown of a trial, and what a script sees."""

import contextlib
import json
from types import SimpleNamespace

import pytest

from holdfast.common.errors import Rejected
from holdfast.entry.cli import session
from holdfast.entry.cli.main import run
from holdfast.execution.exits import Exits
from holdfast.model.deal import DealStatus
from holdfast.model.leg import LegKind
from tests.unit.entry.test_cli_main import process_as_before
from tests.unit.execution.scene import deal
from tests.unit.execution.test_exits import World

__all__ = ["process_as_before"]

DEAL = deal(status=DealStatus.EXECUTING)


@pytest.fixture
def world(monkeypatch):
    """The chain that the command's unwind is tried on."""
    made = World()

    class Desk:
        async def find(self, deal_id):
            if deal_id != DEAL.deal_id:
                raise Rejected("deal.not_found", "there is no such deal")
            return DEAL

    async def require():
        pass

    @contextlib.asynccontextmanager
    async def opened(settings):
        pool = SimpleNamespace(require=require)
        checks = SimpleNamespace(exits=Exits(made.begin))
        yield SimpleNamespace(pool=pool, desk=Desk(), exit_checks=checks)

    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(session, "opened", opened)
    return made


def said(capsys, *more):
    code = run(["risk", "exits", "--deal", str(DEAL.deal_id), *more])
    return code, capsys.readouterr().out


def test_an_unwind_that_works_shows_its_groups_and_what_comes_home(world, capsys):
    code, out = said(capsys)
    assert code == 0
    assert "it could come home now" in out
    rows = [line.split() for line in out.splitlines()]
    assert [row[0] for row in rows if row and row[0].isdigit()] == ["1", "1", "2", "3"]
    assert "Home: " in out
    assert "$20000.00000000" in out


def test_one_that_fails_names_the_leg_and_ends_with_3(world, capsys):
    world.refuses[LegKind.REPAY] = "Tether is paused"
    code, out = said(capsys)
    assert code == 3
    assert "could NOT come home: repay would fail" in out
    assert "Refused: repay: Tether is paused [leg.would_fail]" in out
    assert "Home: nothing" in out


def test_gas_alone_makes_it_wait(world, capsys):
    world.gas = 2
    code, out = said(capsys)
    assert code == 3
    assert "it would wait: gas costs more" in out


def test_a_node_that_cannot_tell_ends_with_4(world, capsys):
    world.sequential = False
    code, out = said(capsys)
    assert code == 4
    assert "not known" in out


def test_the_document_is_one(world, capsys):
    code, out = said(capsys, "--json")
    document = json.loads(out)
    assert code == 0
    assert (document["deal_id"], document["works"]) == (str(DEAL.deal_id), True)
    assert [len(group) for group in document["groups"]] == [2, 1, 1]


def test_a_deal_that_is_not_there_is_refused(world, capsys):
    missing = str(DEAL.deal_id)[:-1] + ("0" if str(DEAL.deal_id)[-1] != "0" else "1")
    code = run(["risk", "exits", "--deal", missing, "--json"])
    assert code == 3
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "deal.not_found"
