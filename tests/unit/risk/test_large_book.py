"""A large book: floats find what matters, and what is decided is what the integers say."""

import random
from dataclasses import replace

import pytest

from holdfast.common.money import BPS, USD8, Bps, Usd8
from holdfast.risk.book import stressed_book, together
from holdfast.risk.exit_pool import ExitPool
from holdfast.risk.scenarios import STANDARD
from holdfast.risk.stress import ABSOLUTE
from tests.unit.risk.positions import borrowed, dollars, from_bucket
from tests.unit.risk.test_scenarios import exposed


def book(seed, count=150):
    draw = random.Random(seed)  # noqa: S311 - a book to try, no secret
    deals = [exposed(borrowed(f"{draw.uniform(4, 9.4):.6f}")) for _ in range(count)]
    # on the border: 15 * 0.4 / 6 is a health factor of 1 when ETH halves, to the last digit
    deals.append(replace(exposed(borrowed("6")), threshold=Bps(4_000)))
    # and one whose reserve is what it owes, to the last digit
    owed = dollars("6.28876713")
    even = replace(borrowed("6"), reserve_eth=Usd8(0), cash=owed)
    return [*deals, exposed(even), exposed(from_bucket("0", "19.8"))]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("cash", [3_000, 100_000])
def test_a_large_book_has_the_verdicts_of_the_integers(seed, cash):
    deals, pool = book(seed), ExitPool(Usd8(cash * USD8), 500)
    found = stressed_book(STANDARD, deals, pool)
    for shock, end in zip(STANDARD, found, strict=True):
        truth = together(shock, deals, pool)
        assert end.not_whole == truth.not_whole
        assert end.slip == truth.slip
        assert (end.lowest_cover_wad, end.health_wad) == (truth.lowest_cover_wad, truth.health_wad)
        kept = max(1 / BPS, 0.85 - end.slip / BPS)  # a bad venue takes 10 %, a thin pool 5 %
        near = len(deals) * ABSOLUTE * USD8 / kept
        assert abs(end.loss - truth.loss) < near
        assert abs(end.sold - truth.sold) < near


def test_a_small_book_is_all_integers():
    deals, pool = book(1, count=5), ExitPool(Usd8(3_000 * USD8), 500)
    assert stressed_book(STANDARD, deals, pool) == tuple(
        together(shock, deals, pool) for shock in STANDARD
    )
