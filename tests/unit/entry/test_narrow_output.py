"""What a person reads in a narrow terminal, and command lines that make no sense."""

import io
import subprocess
import sys

import pytest
from rich.console import Console

from holdfast.entry.cli.deal_view import show_deals
from holdfast.entry.cli.errors import ExitCode
from holdfast.entry.cli.main import run
from holdfast.entry.cli.plain import whole_table
from tests.unit.entry.test_cli_main import process_as_before
from tests.unit.entry.test_deal_view import DEAL

__all__ = ["process_as_before"]

AMOUNT, HASH = "396005738335000000000000", "0x" + "ab" * 32


def printed(table, columns):
    console = Console(width=columns, file=io.StringIO())
    console.print(table)
    return console.file.getvalue()


def test_a_table_cuts_nothing_off_that_does_not_fit():
    table = whole_table("Events", "Block", "Amount", "Transaction")
    table.add_row("95", AMOUNT, HASH)
    shown = "".join(printed(table, 40).split())
    assert shown == f"EventsBlock95Amount{AMOUNT}Transaction{HASH}"


def test_words_are_never_in_pieces():
    table = whole_table("Scenarios", "Scenario", "Loss USD", "Cover", "Health", "LTV")
    table.add_row("eth_down_50_and_token_to_zero", "618,572.03", "1.0123", "2.5", "40.00 %")
    table.add_row("gas_700_gwei", "1.00", "1.5", "2.5", "20.00 %")
    listed, tabled = printed(table, 50), printed(table, 90)
    assert "Scenario  eth_down_50_and_token_to_zero" in listed
    assert listed.count("Loss USD") == 2
    assert tabled.count("Loss USD") == 1


def test_a_long_text_goes_on_in_the_next_line_of_its_column():
    table = whole_table("Alerts", "Code", "What")
    table.add_row("risk.tick_late", "the risk monitor's last tick was 70 s ago " * 3)
    assert printed(table, 60).count("What") == 1


def test_the_id_that_the_next_command_needs_stays_on_one_line():
    table = whole_table("Deals", "Deal", "Status", "Since", key="Deal")
    table.add_row(DEAL["deal_id"], "completed_with_claim", "2026-11-22T17:13:12")
    assert DEAL["deal_id"] in printed(table, 60)


def test_what_goes_into_a_pipe_is_not_folded_to_a_screen(capsys):
    show_deals({"deals": [DEAL]})
    (line,) = [one for one in capsys.readouterr().out.splitlines() if DEAL["deal_id"] in one]
    assert "holding: pool_depth" in line
    assert DEAL["created_at"][:19] in line


@pytest.mark.parametrize("number", ["0", "-1", str(2**63)])
def test_an_alert_number_that_no_row_can_have_is_wrong_usage(number, capsys):
    assert run(["alerts", "show", "--", number]) == 2
    assert "ALERT" in capsys.readouterr().err


def test_the_supervised_start_of_anything_but_a_worker_is_wrong_usage(capsys):
    assert run(["worker", "--supervised", "status"]) == 2
    assert "--supervised" in capsys.readouterr().err


@pytest.mark.slow
def test_who_reads_only_the_first_line_sees_no_failure(tmp_path):
    script = "import sys; from holdfast.entry.cli.main import run; sys.exit(run(sys.argv[1:]))"
    prices = tmp_path / "eth.csv"
    rows = "\n".join(f"{n * 3600},{100 - 30 * (n % 2)}" for n in range(3_000))
    prices.write_text(f"timestamp,close\n{rows}\n")
    command = [sys.executable, "-c", script, "risk", "replay", "--prices", str(prices)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        process.stdout.readline()
        process.stdout.close()
    assert process.returncode == ExitCode.READER_LEFT
