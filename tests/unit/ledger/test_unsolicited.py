"""What strangers send: booked apart, and the only thing that may ever cover a lack."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.ledger.bookings import unsolicited
from holdfast.ledger.model import Account, Balances
from holdfast.ledger.ports import ChainBalances
from holdfast.ledger.reconciliation import reconciled
from tests.unit.ledger.scene import BOOK, USDT, WETH, block

EMPTY = ChainBalances(block(9), 0, 0, 0, 0, 0, 0, 0, 0)
UNITS = st.integers(0, 2**128)


def booked(balances, chain):
    made = reconciled(BOOK, balances, chain, core_booked=0)
    after = balances.after(unsolicited(BOOK, balances, made))
    return after, reconciled(BOOK, after, chain, core_booked=0)


@given(st.builds(replace, st.just(EMPTY), native=UNITS, weth=UNITS, usdt=UNITS, queued=UNITS))
def test_whatever_is_sent_to_the_account_is_booked_and_the_books_agree(chain):
    after, made = booked(Balances(), chain)
    assert made.is_exact
    assert after.units(Account.UNSOLICITED, USDT) == -chain.usdt
    assert set(after.trial().values()) <= {0}


@given(UNITS, UNITS)
def test_a_lack_is_covered_by_earlier_gifts_and_by_nothing_else(gift, lack):
    given_, _ = booked(Balances(), replace(EMPTY, usdt=gift))
    after, made = booked(given_, replace(EMPTY, usdt=gift - lack))
    assert after.units(Account.UNSOLICITED, USDT) == -max(0, gift - lack)
    assert made.mismatch_wei == max(0, lack - gift)


@pytest.mark.parametrize("where", ["collateral", "debt"])
def test_what_the_lending_venue_shows_is_never_explained_away(where):
    """Its balances grow with an index: a gift there has no scaled amount that we could know."""
    after, made = booked(Balances(), replace(EMPTY, **{where: 5}))
    assert after == Balances()
    assert made.mismatch_wei == 5


def test_a_second_look_at_the_same_gift_books_nothing():
    once, _ = booked(Balances(), replace(EMPTY, weth=7))
    made = reconciled(BOOK, once, replace(EMPTY, weth=7), core_booked=0)
    assert unsolicited(BOOK, once, made) == ()
    assert once.units(Account.WALLET, WETH) == 7
