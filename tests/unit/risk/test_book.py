"""The open book in integers: deals that sell at once, and one that sells alone."""

from dataclasses import replace

from holdfast.common.money import USD8, Bps, Usd8
from holdfast.risk.book import slip_together, stressed_book, together
from holdfast.risk.exit_pool import ExitPool
from holdfast.risk.scenarios import STANDARD, THEOREM, outcome
from tests.unit.risk.positions import borrowed, from_bucket
from tests.unit.risk.test_scenarios import exposed

POOL = ExitPool(Usd8(1_000 * USD8), 500)
SIX, NINE, FREE = (
    exposed(borrowed("6")), exposed(borrowed("9")), exposed(from_bucket("0", "19.8")),
)  # fmt: skip


def test_a_deal_alone_sells_at_its_own_quote():
    end = together(THEOREM, [SIX], POOL)
    alone = outcome(THEOREM, SIX)
    assert (end.slip, end.lowest_cover_wad, end.loss) == (0, alone.cover_wad, alone.loss)
    assert end.principal_whole


def test_all_that_have_debt_raise_and_the_worst_is_told():
    # 6.28876713 + 9.33315069 of 707.1: (1 - 0.0220928)^2 * 0.9995 = 0.955825
    end = together(THEOREM, [SIX, NINE, FREE], POOL)
    assert end.slip == 442
    assert end.lowest_cover_wad == outcome(THEOREM, NINE, Bps(442)).cover_wad
    assert end.loss == sum(outcome(THEOREM, one, Bps(442)).loss for one in (SIX, NINE, FREE))


def test_a_deal_raises_at_most_what_its_bucket_is_worth():
    hopeless = replace(SIX, position=replace(SIX.position, reserve_eth=Usd8(2 * USD8)))
    # 6.28876713, and half of 2 dollars' worth: (1 - 7.28876713 / 707.107)^2 * 0.9995 = 0.979001
    assert slip_together(THEOREM, [SIX, hopeless], POOL) == 210
    end = together(THEOREM, [SIX, hopeless], POOL)
    assert end.not_whole == (1,)
    assert not end.principal_whole


def test_several_scenarios_are_one_after_the_other():
    book = [SIX, NINE]
    assert stressed_book(STANDARD, book, POOL) == tuple(
        together(shock, book, POOL) for shock in STANDARD
    )
