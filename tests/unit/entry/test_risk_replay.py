"""`holdfast risk replay`: what is printed, drawn and refused, from files alone."""

import json

import pytest

from holdfast.entry.cli import progress
from holdfast.entry.cli.main import run
from tests.unit.entry.test_cli_main import process_as_before

__all__ = ["process_as_before"]

# a fall of a quarter, then of 40 %, and back
PRICES = """ts_utc,open,high,low,close
2020-03-11T00:00Z,100,100,100,100
2020-03-11T01:00Z,100,100,75,75
2020-03-11T02:00Z,75,75,60,80
2020-03-11T03:00Z,80,100,80,100
"""


@pytest.fixture
def prices(tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    path = tmp_path / "eth.csv"
    path.write_text(PRICES)
    return path


def document(capsys, *arguments):
    assert run(["risk", "replay", *map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)["replays"]


def refusal(capsys, *arguments):
    assert run(["risk", "replay", *map(str, arguments), "--json"]) == 3
    return json.loads(capsys.readouterr().out)["error"]["code"]


def test_the_path_the_actions_and_the_money_are_told(prices, capsys):
    (view,) = document(capsys, "--prices", prices)
    assert (view["name"], view["opened_at"], view["ended_at"]) == (
        "2020-03-11..2020-03-11",
        "2020-03-11T01:00Z",
        "2020-03-11T04:00Z",
    )
    assert [one["ltv_percent"] for one in view["hours"]] == ["20.00", "26.67", "33.34", "15.01"]
    assert [(one["kind"], one["after_hours"]) for one in view["actions"]] == [
        ("converted", 0.0),
        ("warned", 1.0),
        ("repaid", 1.0),
    ]
    assert view["eth"] == {
        "opening_usd": "100",
        "lowest_usd": "60",
        "closing_usd": "100",
        "fall_percent": "40.00",
        "largest_jump_percent": "25.00",
    }
    # the LTV was over 28 % in one hour; the cover under 1.25 in two
    assert (view["hours_over_warning"], view["first_warning_after_hours"]) == (1.0, 1.0)
    assert view["unattended"]["max_ltv_percent"] == "33.34"
    assert view["principal_whole"] is True
    assert view["pnl"]["untraded_usd"] == "10000000"


def test_people_see_the_same_as_tables(prices, capsys):
    assert run(["risk", "replay", "--prices", str(prices)]) == 0
    out = capsys.readouterr().out
    for words in ("33.34 %", "converted", "against the same ETH, untraded", "bound S + i + f"):
        assert words in out


def test_a_quiet_stretch_says_that_nothing_was_done(prices, capsys):
    prices.write_text(PRICES.replace("75", "99").replace("60", "80"))
    assert run(["risk", "replay", "--prices", str(prices)]) == 0
    assert "nothing was done" in capsys.readouterr().out


def test_gas_and_the_token_come_from_files_of_their_own(prices, tmp_path, capsys):
    gas, token = tmp_path / "gas.csv", tmp_path / "token.csv"
    gas.write_text("date,avg_gas_price_gwei\n2020-03-10,100\n2020-03-11,200\n")
    token.write_text("ts_utc,close\n2020-03-11T00:00Z,0.5\n2020-03-11T02:30Z,0.4\n")
    (view,) = document(capsys, "--prices", prices, "--gas", gas, "--token-prices", token)
    # two cures of 800,000 gas at 200 gwei: 0.32 ETH at 100
    assert view["pnl"]["gas_usd"] == "32"
    # 598,503.74 of market a fifth lower: 478,802.99 - 600,000
    assert view["pnl"]["token_usd"].startswith("-121197.00")


def test_days_and_times_bound_what_is_replayed(prices, capsys):
    (view,) = document(
        capsys, "--prices", prices, "--from", "2020-03-11T01:00Z", "--to", "2020-03-11T03:00Z"
    )
    assert len(view["hours"]) == 2
    assert refusal(capsys, "--prices", prices, "--from", "now") == "replay.time"
    both = ("--from", "2020-03-12", "--to", "2020-03-11")
    assert refusal(capsys, "--prices", prices, *both) == "replay.time"


def test_gaps_are_refused_until_they_may_be(prices, capsys):
    prices.write_text(PRICES + "2020-03-11T09:00Z,100,100,100,100\n")
    assert refusal(capsys, "--prices", prices) == "replay.csv_gap"
    (view,) = document(capsys, "--prices", prices, "--allow-gaps")
    assert view["gaps"] == ["2020-03-11T03:00Z to 2020-03-11T09:00Z"]


def test_an_event_has_a_name_and_its_own_days(prices, capsys):
    assert refusal(capsys, "--prices", prices, "--event", "lehman") == "replay.event"
    # the file has one of its three days
    assert refusal(capsys, "--prices", prices, "--event", "black_thursday") == "replay.csv_span"
    assert refusal(capsys, "--prices", prices, "--event", "all") == "replay.csv_span"
    both = ("--event", "terra", "--from", "2022-05-07")
    assert refusal(capsys, "--prices", prices, *both) == "replay.time"


@pytest.mark.parametrize(("name", "start"), [("a.svg", b"<?xml"), ("a.PNG", b"\x89PNG")])
def test_a_chart_is_drawn(prices, tmp_path, capsys, name, start):
    first, second = tmp_path / name, tmp_path / f"again-{name}"
    document(capsys, "--prices", prices, "--chart", first)
    document(capsys, "--prices", prices, "--chart", second)
    assert first.read_bytes().startswith(start)
    assert first.read_bytes() == second.read_bytes()


def test_a_chart_of_another_kind_or_to_nowhere_is_refused(prices, tmp_path, capsys):
    code = refusal(capsys, "--prices", prices, "--chart", tmp_path / "a.pdf")
    assert code == "replay.chart_format"
    nowhere = tmp_path / "missing" / "a.svg"
    assert refusal(capsys, "--prices", prices, "--chart", nowhere) == "replay.file"


def test_files_that_are_not_there_or_no_plan_are_refused(prices, tmp_path, capsys):
    assert refusal(capsys, "--prices", tmp_path / "none.csv") == "replay.file"
    plan = tmp_path / "plan.json"
    plan.write_text("{")
    assert refusal(capsys, "--prices", prices, "--deal", plan) == "replay.plan"
    plan.write_text("{}")
    assert refusal(capsys, "--prices", prices, "--deal", plan) == "replay.plan"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--event", "all", "--chart", "a.svg"), "replay.chart"),
        (("--event", "nothing_like_it"), "replay.event"),
        (("--event", "terra", "--from", "2020-03-11"), "replay.time"),
    ],
)
def test_what_no_price_can_answer_is_refused_before_any_is_read(words, code, tmp_path, capsys):
    assert refusal(capsys, "--prices", tmp_path / "none.csv", *words) == code


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (("--from", "yesterday"), "replay.time"),
        (("--from", "2020-03-12", "--to", "2020-03-11"), "replay.time"),
        (("--event", "terra", "--from", "2022-05-07"), "replay.time"),
        (("--gas", "{odd}"), "replay.csv_column"),
        (("--token-prices", "{odd}"), "replay.csv_column"),
        (("--gas", "{none}"), "replay.file"),
    ],
)
def test_what_needs_no_price_is_refused_before_any_is_read(prices, capsys, tmp_path, options, code):
    prices.write_text(PRICES + "no time at all,1,1,1,1\n")  # reading it would be replay.csv_time
    odd = tmp_path / "odd.csv"
    odd.write_text("when,what\n1,2\n")
    named = [one.format(odd=odd, none=tmp_path / "none.csv") for one in options]
    assert refusal(capsys, "--prices", prices, *named) == code


def test_what_takes_long_says_so_on_stderr_alone(prices, capsys, monkeypatch):
    monkeypatch.setattr(progress, "_QUIET_SECONDS", 0)
    assert run(["risk", "replay", "--prices", str(prices), "--json"]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["replays"]
    # the fall calls for the desk, so its bars are played again with nobody acting
    assert said.err.splitlines() == [
        "reading eth.csv: 5 rows",
        "replaying: 3 rows",
        "replaying: 3 rows",
    ]


def test_where_the_desk_has_nothing_to_do_nobody_acting_is_the_same(prices, capsys):
    rows = "\n".join(f"2020-03-11T0{n}:00Z,100,100,100,100" for n in range(4))
    prices.write_text(f"ts_utc,open,high,low,close\n{rows}\n")
    (view,) = document(capsys, "--prices", prices)
    assert [one["kind"] for one in view["actions"]] == []
    assert view["unattended"]["max_ltv_percent"] == view["max_ltv_percent"] == "20.01"
