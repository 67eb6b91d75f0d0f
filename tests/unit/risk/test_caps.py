"""Caps over the open book: each counts the new deal, and each can break alone."""

import pytest

from holdfast.common.money import USD8, Bps, Usd8
from holdfast.risk.caps import BookSums, Wanted, caps, opening
from holdfast.risk.limits import RiskLimits

LIMITS = RiskLimits()


def millions(value):
    return Usd8(value * 1_000_000 * USD8)


def broken(wanted, book):
    return [check.code for check in caps(wanted, book, LIMITS) if check.is_violation]


def test_an_empty_book_takes_the_largest_deal():
    assert broken(Wanted(LIMITS.max_deal, millions(5)), BookSums()) == []


@pytest.mark.parametrize(
    ("name", "limit", "own"),
    [
        ("bank", LIMITS.max_bank, millions(10)),
        ("module", LIMITS.max_module, millions(10)),
        ("asset", LIMITS.max_asset, millions(2)),
        ("day", LIMITS.max_day, millions(10)),
    ],
)
def test_a_cap_counts_the_deal_itself_to_the_last_unit(name, limit, own):
    wanted = Wanted(millions(10), millions(2))
    assert broken(wanted, BookSums(**{name: Usd8(limit - own)})) == []
    assert broken(wanted, BookSums(**{name: Usd8(limit - own + 1)})) == [f"caps.{name}"]


def test_a_deal_above_its_own_cap_is_named_even_in_an_empty_book():
    assert broken(Wanted(Usd8(LIMITS.max_deal + 1), Usd8(0)), BookSums()) == ["caps.deal"]


def test_an_opening_above_the_quantile_is_a_warning_only():
    check = opening(Bps(2_500), LIMITS)
    assert (check.is_warning, check.is_violation, check.limit) == (True, False, 2_490)
    assert opening(Bps(2_000), LIMITS).ok
