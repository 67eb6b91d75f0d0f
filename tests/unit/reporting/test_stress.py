"""The stress report: lines of the book, of one deal among the others, and the borders."""

import json

import pytest

from holdfast.common.errors import Rejected
from holdfast.common.evm import BlockRef, block_hash
from holdfast.common.money import USD8, Usd8
from holdfast.entry.cli.stress_view import show_stress
from holdfast.reporting.stress import stress_report
from holdfast.risk.book import OpenBook
from holdfast.risk.exit_pool import ExitPool
from holdfast.risk.matrix import combinations
from holdfast.risk.scenarios import STANDARD
from tests.unit.risk.positions import borrowed, from_bucket
from tests.unit.risk.test_scenarios import exposed

AT = BlockRef(7, block_hash("0x" + "ab" * 32), 1_772_323_500)  # 2026-03-01 00:05 UTC
ONE, TWO, FREE = "deal-one", "deal-two", "deal-free"
DEALS = [
    (ONE, exposed(borrowed("6"))),
    (TWO, exposed(borrowed("9"))),
    (FREE, exposed(from_bucket("0", "19.8"))),
]


def book(deals=DEALS, cash=10_000):
    return OpenBook(AT, Usd8(2_000 * USD8), ExitPool(Usd8(cash * USD8), 500), deals)


def report(shocks=STANDARD, *, deal=None, with_reverse=False, of=None):
    return stress_report(of or book(), shocks, deal=deal, with_reverse=with_reverse)


def line(document, name="token_to_zero_and_eth_down_50"):
    return next(one for one in document["scenarios"] if one["scenario"] == name)


def test_a_line_of_the_book_says_how_all_deals_end():
    # owed 6.28876713 and 9.33315069 + 0.2 of interest rounding aside; each sells at 0.5 * 0.99
    found = line(report())
    assert found["principal_whole"]
    assert found["deals_not_whole"] == found["deals_liquidated"] == 0
    assert found["lowest_debt_cover"] == "1.0607"  # 9.9 / 9.33315068
    assert found["lowest_health_factor"] == "1.3833"  # 15 * 0.83 / 9
    assert found["highest_ltv_percent"] == "60.00"  # 9 / 15
    # (6.28876713 + 9.33315068) / 0.495 = 31.5594
    assert (found["eth_sold_usd"], found["sold_eth"]) == ("31.56", "0.0158")
    # raised 15.62 of 10,000 * sqrt(0.5): 1 - (1 - 0.0022093)^2 * 0.9995 = 0.491 %
    assert found["shared_slip_percent"] == "0.50"


def test_a_scenario_that_breaks_a_deal_names_it_in_the_deals_lines():
    document = report()
    assert not document["principal_whole"]
    assert line(document, "freeze_and_eth_down_50_and_apr_80")["deals_not_whole"] == 1
    rows = {one["deal_id"]: one for one in document["deals"]}
    assert rows[TWO]["scenarios_not_whole"] == 2
    assert rows[ONE]["scenarios_not_whole"] == rows[FREE]["scenarios_not_whole"] == 0
    assert rows[FREE]["lowest_debt_cover"] is None
    assert rows[ONE]["loss_bound_usd"] == "6.35"


def test_one_deal_still_sells_among_the_others():
    crowded = book(cash=40)  # 15.62 of 28.28 of cash leave a fifth of the price: (1 - 0.55232)^2
    alone = line(report(deal=ONE, of=book(DEALS[:1], cash=40)))
    among = line(report(deal=ONE, of=crowded))
    assert (alone["shared_slip_percent"], among["shared_slip_percent"]) == ("0.00", "79.97")
    assert alone["principal_whole"]
    assert not among["principal_whole"]
    assert among["within_bound"] is False


def test_the_borders_of_a_deal_and_of_the_book_are_told():
    of_deal = report(deal=ONE, with_reverse=True)["reverse"]
    gap = next(one for one in of_deal if (one["axis"], one["breaks"]) == ("eth_gap", "I3"))
    assert (gap["first"], gap["unit"]) == ("68.24", "percent")
    delay = next(one for one in of_deal if (one["axis"], one["breaks"]) == ("queue_delay", "HF"))
    assert (delay["first"], delay["unit"], delay["searched_to"]) == (None, "days", "36500")
    of_book = report(with_reverse=True)["reverse"]
    # the deal at 9 breaks first: 1 - 9.33315068 / 19.8 = 52.86 %
    assert next(one for one in of_book if one["axis"] == "eth_gap")["first"] == "52.87"
    assert len(of_deal) == len(of_book) == 10


def test_an_empty_book_and_a_deal_that_is_not_open_are_refused():
    with pytest.raises(Rejected) as refused:
        report(of=book([]))
    assert refused.value.code == "stress.no_deals"
    with pytest.raises(Rejected) as refused:
        report(deal="stranger")
    assert refused.value.code == "stress.not_open"


@pytest.mark.parametrize(
    ("shocks", "deal", "is_matrix"),
    [(STANDARD, None, False), (STANDARD, ONE, False), (combinations(), None, True)],
)
def test_every_report_is_json_and_can_be_shown(shocks, deal, is_matrix, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "240")
    document = report(shocks, deal=deal, with_reverse=True)
    assert json.loads(json.dumps(document)) == document
    show_stress(document, is_matrix=is_matrix)
    out = capsys.readouterr().out
    assert "open deal(s)" in out
    assert "The smallest move that breaks it" in out
    assert ("Lowest debt cover" in out) == is_matrix
    assert (ONE in out) or deal is None


def test_the_matrix_marks_where_a_deal_is_not_whole(capsys):
    document = report(combinations())
    show_stress(document, is_matrix=True)
    rows = {row.split("  ")[0].strip(): row for row in capsys.readouterr().out.splitlines()}
    assert "!" in rows["eth_down_50"]
    assert "!" not in rows["no fall"]
