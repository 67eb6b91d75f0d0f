"""What a person reads in a narrow terminal, and command lines that make no sense."""

import pytest

from holdfast.entry.cli.deal_view import show_deals
from holdfast.entry.cli.main import run
from holdfast.entry.cli.plain import plain_console, whole_table
from tests.unit.entry.test_cli_main import process_as_before
from tests.unit.entry.test_deal_view import DEAL

__all__ = ["process_as_before"]

AMOUNT, HASH = "396005738335000000000000", "0x" + "ab" * 32


@pytest.fixture(autouse=True)
def narrow(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")


def test_a_table_cuts_nothing_off_that_does_not_fit(capsys):
    table = whole_table("Events", "Block", "Amount", "Transaction")
    table.add_row("95", AMOUNT, HASH)
    plain_console().print(table)
    rows = [line.split("│") for line in capsys.readouterr().out.splitlines() if "│" in line]
    shown = ["".join(row[column].strip() for row in rows) for column in range(3)]
    assert shown == ["95", AMOUNT, HASH]


def test_the_id_that_the_next_command_needs_stays_on_one_line(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    show_deals({"deals": [DEAL]})
    assert DEAL["deal_id"] in capsys.readouterr().out


@pytest.mark.parametrize("number", ["0", "-1", str(2**63)])
def test_an_alert_number_that_no_row_can_have_is_wrong_usage(number, capsys):
    assert run(["alerts", "show", "--", number]) == 2
    assert "ALERT" in capsys.readouterr().err


def test_the_supervised_start_of_anything_but_a_worker_is_wrong_usage(capsys):
    assert run(["worker", "--supervised", "status"]) == 2
    assert "--supervised" in capsys.readouterr().err
