"""`holdfast risk gate`: the usual lots or one, as a table and as JSON, and odd sizes by name."""

import contextlib
import json
from types import SimpleNamespace

import pytest

from holdfast.common.money import USD8, Usd8
from holdfast.entry.cli import session
from holdfast.entry.cli.main import run
from holdfast.execution.desk import Treasury
from holdfast.planning.gatekeeper import Gatekeeper
from holdfast.planning.model import PlanPolicy
from holdfast.risk.gate import Trial
from tests.unit.entry.test_cli_main import process_as_before
from tests.unit.planning.world import CHAIN, CORE, FLOAT, TREASURY, VENUES, World

__all__ = ["process_as_before"]

MILLION = Usd8(1_000_000 * USD8)


class Record:
    def __init__(self, *found):
        self.found = found

    async def trials(self, desk, token):
        return self.found


@pytest.fixture
def open_on(monkeypatch):
    """Lets the command find a chain with this record."""

    async def require():
        pass

    def on(*trials, world=None):
        keeper = Gatekeeper(world or World(), VENUES, PlanPolicy(), Record(*trials))
        system = SimpleNamespace(
            gatekeeper=keeper,
            desk=SimpleNamespace(treasury=Treasury(CHAIN, CORE, FLOAT, TREASURY)),
            pool=SimpleNamespace(require=require),
        )

        @contextlib.asynccontextmanager
        async def opened(settings):
            yield system

        monkeypatch.setattr(session, "opened", opened)

    return on


def told(capsys, *arguments):
    assert run(["risk", "gate", *arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_without_experience_lots_up_to_a_million_are_open(open_on, capsys):
    open_on()
    found = told(capsys)
    assert (found["chain_id"], found["record"], found["desk_is_frozen"]) == (138, [], False)
    assert [(lot["lot_usd"], lot["is_open"]) for lot in found["lots"]] == [
        ("50000", True),
        ("250000", True),
        ("1000000", True),
        ("2500000", False),
        ("5000000", False),
    ]
    # pi = 0.6 / 0.9975; the 20 % quantile of Beta(1.2030, 0.7970) is 0.3133
    assert {lot["believed_success_at_least_percent"] for lot in found["lots"]} == {"31.35"}


def test_full_sized_successes_open_a_larger_lot_and_no_other(open_on, capsys):
    # $2.5M at 0.60 is 4.15M at par
    open_on(Trial(Usd8(4_200_000 * USD8), is_paid=True, times=4))
    (lot,) = told(capsys, "--size", "2500000")["lots"]
    assert (lot["state"], lot["redemptions_so_far"]) == ("proved", 4)
    (lot,) = told(capsys, "--size", "20000000")["lots"]
    assert lot["state"] == "shut"


def test_people_read_a_table_and_the_record(open_on, capsys):
    trials = Trial(MILLION, True, 2), Trial(MILLION, is_paid=False)
    open_on(*trials, world=World(is_frozen=True))
    assert run(["risk", "gate", "--size", "2500000"]) == 0
    out = capsys.readouterr().out
    assert "shut" in out
    assert "2 x $1,000,000.00 at par: paid" in out
    assert "1 x $1,000,000.00 at par: not paid" in out
    assert "frozen now" in out


@pytest.mark.parametrize("size", ["0", "-1", "much", "1e13", "0.000000001"])
def test_a_size_that_is_no_amount_of_dollars_is_refused(open_on, capsys, size):
    open_on()
    assert run(["risk", "gate", "--size", size, "--json"]) == 3
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "risk.size"
