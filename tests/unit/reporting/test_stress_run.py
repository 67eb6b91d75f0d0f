"""The stress run as a report: what it says of a book, of a large one, and of none."""

import json
from datetime import UTC, datetime

import pytest

from holdfast.common.alerts import Severity
from holdfast.common.ids import ChainId
from holdfast.reporting.formats import Format, written
from holdfast.reporting.scheduled import StressRun
from holdfast.reporting.stress_run import Making, document, stress_run
from holdfast.reporting.tables import as_json
from holdfast.risk.limits import RiskLimits
from tests.unit.reporting.test_stress import DEALS, FREE, ONE, TWO, book

NOW = datetime(2026, 3, 1, 0, 5, 7, tzinfo=UTC)
MAKING = Making("monthly stress run of 2026-02", ChainId(138), NOW)


def made(of=None):
    return stress_run(of or book(), MAKING, RiskLimits())


def rows(report, table):
    return as_json(report)["tables"][table]["rows"]


def verdict(report):
    return {row["figure"]: row["value"] for row in rows(report, "verdict")}


def test_the_run_says_at_which_block_and_has_all_that_stress_knows():
    report = made()
    assert report.about == f"chain 138, block 7 (0x{'ab' * 32})"
    assert report.until == datetime(2026, 3, 1, 0, 5, tzinfo=UTC)
    assert [(one.name, len(one.rows)) for one in report.tables] == [
        ("verdict", 10),
        ("scenarios", 20),
        ("falls", 5),
        ("reverse", 5),
        ("combinations", 720),
        ("deals", 3),
    ]


@pytest.mark.slow
def test_the_verdict_holds_the_losses_against_the_theorems_bound():
    told = verdict(made())
    assert told["open deals"] == "3"
    # by test_stress: the deal at 9 breaks in two scenarios of twenty, and first at 52.87 %
    assert told["standard scenarios in which all principal is whole"] == "18 of 20"
    assert told["smallest single fall of ETH that breaks I3"] == "52.87 %"
    bounds = [row["bound_usd"] for row in rows(made(), "deals")]
    total = sum(float(bound) for bound in bounds)
    assert told["bound of the loss (S + i + f, and the sales for the debt)"] == f"${total:.2f}"
    assert made().table("verdict").note.startswith("NOT whole in: ")


def test_the_weakest_deal_and_the_worst_combination_come_first():
    report = made()
    assert next(row["deal_id"] for row in rows(report, "deals")) == TWO
    worst, *_, mildest = rows(report, "combinations")
    assert (worst["whole"], mildest["whole"]) == (False, True)
    # what nothing is owed by has no cover
    free = next(row for row in rows(report, "deals") if row["deal_id"] == FREE)
    assert (free["debt_cover"], free["not_whole_in"]) == (None, 0)


def test_money_and_shares_stay_exact_on_their_way_into_the_tables():
    found = next(
        row
        for row in rows(made(), "scenarios")
        if row["scenario"] == "token_to_zero_and_eth_down_50"
    )
    assert (found["debt_cover"], found["ltv_percent"], found["slip_percent"]) == (
        "1.0607",
        "60.00",
        "0.50",
    )
    assert found["eth_sold_usd"] == "31.56000000"


def test_a_border_that_nothing_reaches_says_how_far_was_searched():
    told = {row["what_moves"]: row for row in rows(made(), "reverse")}
    assert told["eth gap"]["breaks_i3_at"] == "52.87 %"
    assert told["queue delay"]["liquidates_at"] == "not by 36,500 days"


def test_a_run_in_which_a_deal_breaks_is_told_as_a_warning():
    kept = document(made())
    assert kept.severity is Severity.WARNING
    assert kept.text.startswith("Holdfast: monthly stress run of 2026-02: NOT whole in: ")
    assert json.loads(json.dumps(kept.values)) == kept.values
    calm = document(made(book(DEALS[:1])))
    assert calm.severity is Severity.INFO
    assert "come home whole in every standard scenario" in calm.text


def test_an_empty_book_is_a_run_that_says_so():
    kept = document(made(book([])))
    assert kept.severity is Severity.INFO
    assert "No deal is open: there is nothing to stress." in kept.page
    assert "No deal is open" in kept.text
    assert list(kept.values["tables"]) == ["verdict"]


def test_a_book_in_which_nothing_is_owed_has_no_cover_to_show():
    told = verdict(made(book([(FREE, DEALS[2][1])])))
    assert told["least debt cover in a standard scenario"].startswith("nothing is owed")
    assert told["smallest single fall of ETH that breaks I3"] == "not by 100 %"


def test_the_page_shows_the_worst_of_many_and_other_formats_have_all():
    many = [(f"deal-{n}", one) for n in range(700) for _, one in DEALS]
    report = made(book(many, cash=10_000_000))
    page = written(report, Format.HTML).decode()
    assert "The first 50 of 2,100; JSON, CSV and Parquet have all." in page
    assert "The first 20 of 720" in page
    assert page.count("<tr>") < 200
    assert len(written(report, Format.CSV, "deals").splitlines()) == 2_101
    assert "<svg" in page


async def test_the_maker_reads_the_book_once_and_names_the_month():
    class Books:
        reads = 0

        async def read(self):
            self.reads += 1
            return book([(ONE, DEALS[0][1])])

    class Clock:
        def now(self):
            return NOW

    books = Books()
    kept = await StressRun(books, ChainId(138), Clock(), RiskLimits())("2026-02")
    assert kept.values["title"] == "Holdfast: monthly stress run of 2026-02"
    assert kept.values["made_at"] == NOW.isoformat()
    assert books.reads == 1
    assert [row["deal_id"] for row in kept.values["tables"]["deals"]["rows"]] == [ONE]
