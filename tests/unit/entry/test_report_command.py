"""`holdfast report`: the formats, the files and what is refused, over a model of the desk."""

import contextlib
import json
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace

import pytest

from holdfast.common.ids import ChainId
from holdfast.common.money import Usd8
from holdfast.common.system_clock import SystemClock
from holdfast.entry.cli import report
from holdfast.entry.cli.main import run
from holdfast.reporting.price_file import daily_closes
from holdfast.reporting.reports import build, runs_report, span_of
from holdfast.reporting.runs import RunKind, RunRow
from holdfast.reporting.scheduled import StressRun
from holdfast.risk.limits import RiskLimits
from tests.unit.entry.test_cli_main import process_as_before
from tests.unit.reporting.desk import END, START, facts
from tests.unit.reporting.test_stress import book

__all__ = ["process_as_before"]

RUNS = [
    RunRow("daily", "2026-03-01", END, None, is_kept=False),
    RunRow("stress", "2026-02", START, START + timedelta(seconds=4), is_kept=True),
    RunRow("daily", "2026-02-27", START - timedelta(days=1), START, is_kept=False),
]


@pytest.fixture
def asked(monkeypatch):
    """What the reporter was asked for and given."""
    told = []

    class Model:
        def __init__(self, closes):
            self.closes = closes

        async def made(self, kind, day):
            told.append((kind, day, len(self.closes)))
            day = day or START.date()
            found = facts(span=span_of(kind, day, END), daily_closes=self.closes)
            return build(kind, found, RiskLimits())

        async def stored(self, kind, day):
            told.append((kind, day, None))
            return {"kept": str(day)}, f"<p>kept {day}</p>"

        async def runs(self):
            return runs_report(RUNS, END)

    @contextlib.asynccontextmanager
    async def opened(settings, closes=()):
        yield Model(closes)

    monkeypatch.setattr(report, "opened_reporter", opened)
    return told


@pytest.fixture
def system(monkeypatch):
    """A system whose open book is three deals."""

    async def require():
        return None

    class Books:
        async def read(self):
            return book()

    run_of_now = StressRun(Books(), ChainId(138), SystemClock(), RiskLimits())

    @contextlib.asynccontextmanager
    async def opened(settings):
        yield SimpleNamespace(stress_run=run_of_now, pool=SimpleNamespace(require=require))

    monkeypatch.setattr(report, "opened", opened)


def refusal(capsys, *arguments):
    assert run(["report", *map(str, arguments), "--json"]) == 3
    return json.loads(capsys.readouterr().out)["error"]["code"]


def test_a_report_is_a_page_unless_asked_otherwise(asked, capsysbinary):
    assert run(["report", "daily"]) == 0
    assert capsysbinary.readouterr().out.startswith(b"<!doctype html>")
    assert run(["report", "daily", "--json"]) == 0
    assert json.loads(capsysbinary.readouterr().out)["report"] == "daily"
    assert run(["report", "exposure", "--format", "csv", "--table", "by_bank"]) == 0
    assert capsysbinary.readouterr().out.startswith(b"bank,assets_usd,debt_usd,")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["daily", "--format", "xml"], "'xml' is not one of 'html', 'json', 'csv', 'parquet'"),
        (["weekly"], "'weekly' is not one of 'daily', 'exposure', 'history', 'compliance', "),
    ],
)
def test_a_choice_that_is_none_is_told_with_those_that_are(arguments, says, asked, capsys):
    assert run(["report", *arguments]) == 2
    told = capsys.readouterr().err
    assert f": {says}" in told
    assert "Value error" not in told
    assert "[usage]" in told


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--json", "--format", "csv"], "--json is --format json: it cannot be csv as well"),
        (["--table", "summary"], "--table is for --format csv and parquet"),
        (["--table", "summary", "--format", "html"], "--table is for --format csv and parquet"),
        (["--table", "summary", "--json"], "--table is for --format csv and parquet"),
    ],
)
def test_options_of_which_one_would_be_ignored_are_refused(options, says, asked, capsys):
    assert run(["report", "daily", *options]) == 2
    out, err = capsys.readouterr()
    assert says in out + err
    assert "usage" in out + err
    assert asked == []


def test_json_may_be_asked_for_twice(asked, capsys):
    assert run(["report", "daily", "--json", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["report"] == "daily"


def test_a_report_goes_to_a_file(asked, tmp_path, capsys):
    out = tmp_path / "report.parquet"
    assert run(["report", "exposure", "--format", "parquet", "--out", str(out)]) == 0
    assert out.read_bytes()[:4] == b"PAR1"
    assert capsys.readouterr().out == ""


def test_what_cannot_be_written_is_refused(asked, tmp_path, capsys):
    assert refusal(capsys, "daily", "--out", tmp_path / "no" / "a.json") == "report.out"
    assert run(["report", "daily", "--format", "parquet"]) == 3
    assert "[report.out]" in capsys.readouterr().err
    assert run(["report", "daily", "--format", "csv", "--table", "moon"]) == 3
    assert "[report.table]" in capsys.readouterr().err


def test_what_was_made_on_schedule_is_kept_as_page_and_json(asked, capsys):
    kept = ["report", "daily", "--stored", "--date", "2026-03-01"]
    assert run(kept) == 0
    assert capsys.readouterr().out == "<p>kept 2026-03-01</p>\n"
    assert run([*kept, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"kept": "2026-03-01"}
    assert run([*kept, "--format", "csv"]) == 3
    assert "[report.stored_format]" in capsys.readouterr().err


def test_the_stress_run_of_a_month_is_found_by_any_of_its_days(asked, capsys):
    assert run(["report", "stress", "--stored", "--date", "2026-02-14"]) == 0
    assert asked == [(RunKind.STRESS, date(2026, 2, 14), None)]
    capsys.readouterr()
    assert refusal(capsys, "compliance", "--stored") == "report.not_made"
    assert refusal(capsys, "runs", "--stored") == "report.not_made"


def test_a_stress_run_is_made_by_hand_of_the_book_as_it_is(system, capsysbinary):
    assert run(["report", "stress", "--json"]) == 0
    told = json.loads(capsysbinary.readouterr().out)
    assert told["title"].startswith("Holdfast: stress run of 20")
    assert len(told["tables"]["combinations"]["rows"]) == 720
    assert run(["report", "stress", "--format", "csv", "--table", "deals"]) == 0
    assert len(capsysbinary.readouterr().out.splitlines()) == 4
    assert run(["report", "stress"]) == 0
    assert capsysbinary.readouterr().out.startswith(b"<!doctype html>")


def test_there_is_no_stress_run_of_another_day(system, asked, capsys):
    assert refusal(capsys, "stress", "--date", "2026-02-14") == "report.date"
    assert refusal(capsys, "runs", "--date", "2026-02-14") == "report.date"


def test_what_was_made_on_schedule_is_listed(asked, capsys):
    assert run(["report", "runs"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [(words[0], words[2], words[-1]) for words in lines[-3:]] == [
        ("daily", "2026-03-01", "due"),
        ("stress", "2026-02", "made"),
        ("daily", "2026-02-27", "wanted"),
    ]
    assert run(["report", "runs", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["tables"]["runs"]["rows"]
    assert [row["made_at"] is None for row in told] == [True, False, False]


def test_a_day_is_a_day(asked, capsys):
    assert run(["report", "daily", "--date", "2026-03-01", "--json"]) == 0
    assert asked[-1][1] == START.date()
    capsys.readouterr()
    assert refusal(capsys, "daily", "--date", "yesterday") == "report.date"


def test_prices_come_from_the_option_or_the_setting(asked, tmp_path, monkeypatch, capsys):
    path = tmp_path / "eth.csv"
    days = [START - timedelta(days=300 - day) for day in range(300)]
    lines = [f"{day.date()},{100 + number % 9}" for number, day in enumerate(days)]
    path.write_text("\n".join(["date,eth_usd", *lines]))
    assert run(["report", "daily", "--date", "2026-03-01", "--prices", str(path), "--json"]) == 0
    monkeypatch.setenv("HOLDFAST_PRICE_HISTORY", str(path))
    assert run(["report", "daily", "--date", "2026-03-01", "--json"]) == 0
    assert [found[2] for found in asked] == [300, 300]
    monkeypatch.setenv("HOLDFAST_PRICE_HISTORY", str(tmp_path / "none.csv"))
    capsys.readouterr()
    assert refusal(capsys, "daily") == "replay.file"


def test_only_days_that_are_over_have_a_close(tmp_path):
    path = tmp_path / "eth.csv"
    rows = [f"2026-02-{27 + hour // 24:02}T{hour % 24:02}:00Z,{hour + 1}" for hour in range(36)]
    path.write_text("\n".join(["ts_utc,close", *rows]))
    assert daily_closes(path, datetime(2026, 2, 28, 11, tzinfo=UTC)) == (24.0,)
    assert daily_closes(path, START) == (24.0, 36.0)
    assert daily_closes(None, START) == ()


def test_days_without_a_price_are_refused(tmp_path, capsys, asked):
    path = tmp_path / "eth.csv"
    path.write_text("date,eth_usd\n2026-02-01,1\n2026-02-03,1\n")
    assert refusal(capsys, "daily", "--prices", path) == "replay.csv_gap"
    assert Usd8(1) == 1
