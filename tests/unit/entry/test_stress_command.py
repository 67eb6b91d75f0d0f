"""`holdfast risk stress`: what is asked for, what is refused, and what is printed."""

import contextlib
import json
from types import SimpleNamespace

import pytest

from holdfast.entry.cli import session
from holdfast.entry.cli.main import run
from tests.unit.entry.test_cli_main import process_as_before
from tests.unit.reporting.test_stress import DEALS, book

__all__ = ["process_as_before"]

DEAL = "8f2b3c44-6a1e-4d0b-9a57-2f3c1d5e7b90"


@pytest.fixture(autouse=True)
def system(monkeypatch):
    """A system whose book is three deals; neither node nor database."""

    class Books:
        async def read(self):
            return book([(DEAL, DEALS[0][1]), *DEALS[1:]])

    async def require():
        return None

    @contextlib.asynccontextmanager
    async def opened(settings):
        yield SimpleNamespace(stress_book=Books(), pool=SimpleNamespace(require=require))

    monkeypatch.setattr(session, "opened", opened)
    monkeypatch.setenv("COLUMNS", "240")


def said(capsys, *arguments):
    code = run(["risk", "stress", *arguments])
    out, err = capsys.readouterr()
    return code, out, err


def document(capsys, *arguments):
    code, out, _ = said(capsys, *arguments, "--json")
    assert code == 0
    return json.loads(out)


def test_the_standard_scenarios_over_the_book_are_the_default(capsys):
    found = document(capsys)
    assert (len(found["scenarios"]), len(found["deals"]), found["deal"]) == (20, 3, None)
    assert found == document(capsys, "--book")
    assert "reverse" not in found


def test_scenarios_and_the_matrix_are_chosen(capsys):
    names = ["apr_80", "eth_down_80_and_token_to_zero_and_apr_80"]
    found = document(capsys, *(word for name in names for word in ("--scenario", name)))
    assert [one["scenario"] for one in found["scenarios"]] == names
    assert len(document(capsys, "--matrix")["scenarios"]) == 720


def test_one_deal_with_its_borders(capsys):
    found = document(capsys, "--deal", DEAL, "--reverse")
    assert (found["deal"], len(found["reverse"])) == (DEAL, 10)
    assert "deals" not in found


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--deal", DEAL, "--book"], "stress.scope"),
        (["--scenario", "apr_80", "--matrix"], "stress.scope"),
        (["--scenario", "moon"], "stress.scenario"),
        (["--deal", "nonsense"], "id.deal"),
        (["--deal", DEAL.replace("8", "9")], "stress.not_open"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(capsys, arguments, code):
    exit_code, out, _ = said(capsys, *arguments, "--json")
    assert (exit_code, json.loads(out)["error"]["code"]) == (3, code)


def test_people_get_tables(capsys):
    code, out, _ = said(capsys, "--reverse")
    assert code == 0
    for title in ("Scenarios", "Deals", "The smallest move that breaks it"):
        assert title in out
