from dataclasses import replace

import pytest

from holdfast.common.money import TokenAmount
from holdfast.ledger.bookings import claim_marked, core_booked, core_released
from holdfast.ledger.model import Account, Balances, EntryKind, JournalEntry, Posting
from holdfast.ledger.ports import ChainBalances
from holdfast.ledger.reconciliation import AtRest, at_rest, reconciled
from tests.unit.ledger.scene import BOOK, DEAL_ID, ETH, USDT, USDTZ, WETH, block

HELD = {
    (Account.WALLET, ETH): 11,
    (Account.WALLET, WETH): 12,
    (Account.WALLET, USDT): 13,
    (Account.WALLET, USDTZ): 14,
    (Account.COLLATERAL, WETH): 15,
    (Account.DEBT, USDT): -16,
    (Account.QUEUE, USDTZ): 17,
    (Account.RETURNED, USDT): 18,
    (Account.GAS, ETH): 19,
}
CHAIN = ChainBalances(
    at=block(4),
    native=11,
    weth=12,
    usdt=13,
    usdtz=14,
    collateral=15,
    debt=16,
    queued=17,
    core=100,
    received=(TokenAmount(USDT, 18),),
)


def ledger(held):
    lines = [
        Posting(account, TokenAmount(token, units)) for (account, token), units in held.items()
    ]
    against = [Posting(Account.CONTRIBUTED, -line.amount) for line in lines]
    entry = JournalEntry(DEAL_ID, EntryKind.LANDED, "0x1", "test", block(1), tuple(lines + against))
    return Balances().after([entry])


def compare(held=HELD, chain=CHAIN, core_booked=100):
    return reconciled(BOOK, ledger(held), chain, core_booked=core_booked)


def test_equal_books_are_exact_on_every_line():
    made = compare()
    assert (made.mismatch_wei, made.is_exact, made.mismatches) == (0, True, ())
    assert [(line.account, line.ledger.token.symbol) for line in made.lines] == [
        (Account.CORE, "ETH"),
        (Account.COLLATERAL, "WETH"),
        (Account.WALLET, "ETH"),
        (Account.WALLET, "USDT"),
        (Account.WALLET, "USDTz"),
        (Account.WALLET, "WETH"),
        (Account.QUEUE, "USDTz"),
        (Account.RETURNED, "USDT"),
        (Account.DEBT, "USDT"),
    ]


@pytest.mark.parametrize("by", [1, -1])
@pytest.mark.parametrize(
    ("field", "account"),
    [
        ("native", Account.WALLET),
        ("weth", Account.WALLET),
        ("usdt", Account.WALLET),
        ("usdtz", Account.WALLET),
        ("collateral", Account.COLLATERAL),
        ("debt", Account.DEBT),
        ("queued", Account.QUEUE),
    ],
)
def test_one_planted_unit_turns_exactly_its_line_red(field, account, by):
    made = compare(chain=replace(CHAIN, **{field: getattr(CHAIN, field) + by}))
    (line,) = made.mismatches
    assert (made.mismatch_wei, made.is_exact, line.account) == (1, False, account)


def test_units_that_are_off_in_opposite_directions_do_not_cancel():
    assert compare(chain=replace(CHAIN, usdt=14, weth=11)).mismatch_wei == 2


def test_the_treasury_got_less_than_was_sent():
    made = compare(chain=replace(CHAIN, received=(TokenAmount(USDT, 17),)))
    assert [line.account for line in made.mismatches] == [Account.RETURNED]


def test_what_the_treasury_got_is_not_compared_where_nobody_looked():
    made = compare(chain=replace(CHAIN, received=()))
    assert made.is_exact
    assert Account.RETURNED not in {line.account for line in made.lines}


def test_an_empty_ledger_does_not_hide_what_the_chain_shows():
    assert compare(held={}).mismatch_wei == 11 + 12 + 13 + 14 + 15 + 16 + 17 + 18


def test_a_balance_that_the_chain_cannot_show_there_is_red():
    made = compare(held=HELD | {(Account.COLLATERAL, USDTZ): 5})
    assert [(line.account, line.mismatch) for line in made.mismatches] == [(Account.COLLATERAL, 5)]


@pytest.mark.parametrize(("core", "mismatch"), [(100, 0), (101, 0), (99, 1)])
def test_core_may_hold_more_than_is_booked_and_never_less(core, mismatch):
    assert compare(chain=replace(CHAIN, core=core)).mismatch_wei == mismatch


def lent(account, units, scaled):
    token = WETH if account is Account.COLLATERAL else USDT
    return Posting(account, TokenAmount(token, units), scaled)


def test_a_deal_at_rest_has_by_its_ledger_what_no_interest_moves():
    held = ledger(HELD | {(Account.COLLATERAL, WETH): 0, (Account.DEBT, USDT): 0})
    lines = [lent(Account.COLLATERAL, 15, 12), lent(Account.DEBT, -16, -13)]
    against = [Posting(Account.CONTRIBUTED, -line.amount) for line in lines]
    entry = JournalEntry(DEAL_ID, EntryKind.LANDED, "0x2", "test", block(2), tuple(lines + against))
    found = at_rest(BOOK.tokens, held.after([entry]))
    assert found == AtRest(11, 12, 13, 14, queued=17, collateral=12, debt=13)
    marked = held.after([entry, *claim_marked(BOOK, held, block(2), is_claim=True)])
    assert at_rest(BOOK.tokens, marked) == found


def test_what_was_given_unasked_may_go_again():
    given = HELD | {(Account.WALLET, USDT): 20, (Account.UNSOLICITED, USDT): -7}
    assert at_rest(BOOK.tokens, ledger(given)).usdt == 13


def test_a_claim_is_proved_where_its_tokens_are():
    held = ledger(HELD)
    marked = held.after(claim_marked(BOOK, held, block(2), is_claim=True))
    assert marked.units(Account.CLAIM_HELD, USDTZ) == 14
    assert marked.units(Account.CLAIM_QUEUED, USDTZ) == 17
    assert marked.units(Account.WALLET, USDTZ) == marked.units(Account.QUEUE, USDTZ) == 0
    assert reconciled(BOOK, marked, CHAIN, core_booked=100).is_exact
    short = replace(CHAIN, queued=16)
    assert reconciled(BOOK, marked, short, core_booked=100).mismatch_wei == 1


def test_a_claim_that_is_one_no_longer_is_where_it_was():
    held = ledger(HELD)
    marked = held.after(claim_marked(BOOK, held, block(2), is_claim=True))
    assert claim_marked(BOOK, marked, block(3), is_claim=True) == ()
    back = marked.after(claim_marked(BOOK, marked, block(3), is_claim=False))
    assert {key: h.units for key, h in back.held.items() if h.units} == {
        key: h.units for key, h in held.held.items() if h.units
    }
    assert claim_marked(BOOK, back, block(4), is_claim=False) == ()


def test_core_is_released_whole_and_only_once():
    booked = Balances().after([core_booked(BOOK, TokenAmount(ETH, 50), block(1))])
    assert booked.units(Account.CORE, ETH) == 50
    released = booked.after(core_released(BOOK, booked, block(2)))
    assert released.units(Account.CORE, ETH) == released.units(Account.CONTRIBUTED, ETH) == 0
    assert core_released(BOOK, released, block(3)) == ()
