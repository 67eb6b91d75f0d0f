"""Amounts of one token: nothing is mixed, nothing is lost by rounding."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.common.errors import Broken, Rejected
from holdfast.common.evm import address
from holdfast.common.money import Token, TokenAmount, mul_div, parse_decimal, split_by_bps

USDT = Token(138, "USDT", 6, address("0x" + "11" * 20))
WETH = Token(138, "WETH", 18, address("0x" + "22" * 20))
ETH = Token(138, "ETH", 18)


def usdt(units):
    return TokenAmount(USDT, units)


@pytest.mark.parametrize("operator", ["__add__", "__sub__", "__lt__", "__le__"])
def test_amounts_of_two_tokens_do_not_mix(operator):
    with pytest.raises(Broken) as caught:
        getattr(usdt(1), operator)(TokenAmount(WETH, 1))
    assert caught.value.code == "money.mixed_tokens"


def test_a_native_token_has_no_contract():
    assert USDT.require_address() == USDT.address
    with pytest.raises(Broken) as caught:
        ETH.require_address()
    assert caught.value.code == "token.native"


@given(
    units=st.integers(0, 2**128),
    cuts=st.lists(st.integers(0, 10_000), min_size=0, max_size=4),
)
def test_a_split_loses_no_unit_and_only_the_first_part_gains_by_rounding(units, cuts):
    edges = [0, *sorted(cuts), 10_000]
    shares = [high - low for low, high in itertools.pairwise(edges)]
    parts = split_by_bps(usdt(units), *shares)
    assert sum(part.units for part in parts) == units
    assert [part.units for part in parts[1:]] == [units * bps // 10_000 for bps in shares[1:]]
    assert parts[0].units >= units * shares[0] // 10_000


@pytest.mark.parametrize("shares", [(5_000, 3_000, 1_999), (5_000, 5_001), (11_000, -1_000)])
def test_a_split_that_is_not_the_whole_is_refused(shares):
    with pytest.raises(Rejected) as caught:
        split_by_bps(usdt(100), *shares)
    assert (caught.value.code, caught.value.fields["value"]) == ("split.not_whole", sum(shares))


@pytest.mark.parametrize(
    ("units", "shown"),
    [(1_500_000, "1.5 USDT"), (1_000_000_000, "1,000 USDT"), (1, "0.000001 USDT"), (0, "0 USDT")],
)
def test_an_amount_is_shown_in_full_without_trailing_zeros(units, shown):
    assert str(usdt(units)) == shown


def test_a_token_without_decimals_keeps_its_zeros():
    assert str(TokenAmount(Token(138, "ONE", 0), 1_200)) == "1,200 ONE"


@pytest.mark.parametrize(("text", "why"), [
    ("x", "is not a number"),
    ("Infinity", "is not a finite number"),
    ("0", "must be more than zero"),
    ("-1", "must be more than zero"),
    ("0.0000001", "more than 6 digits"),
])  # fmt: skip
def test_what_is_no_amount_is_refused_with_the_reason(text, why):
    with pytest.raises(Rejected, match=why) as caught:
        parse_decimal(text, code="x.amount", max_decimals=6)
    assert caught.value.code == "x.amount"


@pytest.mark.parametrize(("round_up", "result"), [(False, 3), (True, 4)])
def test_a_quotient_is_rounded_as_asked(round_up, result):
    assert mul_div(10, 1, 3, round_up=round_up) == result  # 3.33
    assert mul_div(9, 1, 3, round_up=round_up) == 3
