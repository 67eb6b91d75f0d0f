"""Taking entries back and booking them again, as a reorg makes it necessary."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from holdfast.common.money import TokenAmount
from holdfast.ledger.model import (
    Account,
    Balances,
    EntryKind,
    Held,
    JournalEntry,
    Posting,
    moved,
    reversal,
)
from tests.unit.ledger.scene import BOOK, ETH, USDT, WETH, block

UNITS = st.integers(1, 2**200)


@st.composite
def entries(draw):
    """A mined leg's entry: money that moved, and a lending position with its scaled amount."""
    token = draw(st.sampled_from([ETH, WETH, USDT]))
    accounts = draw(st.lists(st.sampled_from(list(Account)), min_size=2, max_size=2, unique=True))
    lent = TokenAmount(WETH, draw(UNITS))
    postings = (
        *moved(*accounts, TokenAmount(token, draw(UNITS))),
        Posting(Account.COLLATERAL, lent, draw(UNITS)),
        Posting(Account.WALLET, -lent),
    )
    number = draw(st.integers(1, 99))
    reference = draw(st.uuids()).hex
    return JournalEntry(
        BOOK.deal_id, EntryKind.LANDED, reference, "supply", block(number), postings
    )


def told(balances):
    return {key: held for key, held in balances.held.items() if held != Held(0)}


@given(st.lists(entries(), max_size=8), st.data())
def test_what_is_taken_back_is_as_if_it_had_never_been_booked(made, data):
    gone = [entry for entry in made if data.draw(st.booleans())]
    after = Balances().after(made).after([reversal(entry, 1) for entry in gone])
    kept = Balances().after([entry for entry in made if entry not in gone])
    assert told(after) == told(kept)
    assert set(after.trial().values()) <= {0}


@given(st.lists(entries(), max_size=8), st.integers(1, 4))
def test_booked_taken_back_and_booked_again_is_booked_once(made, times):
    once, balances = Balances().after(made), Balances().after(made)
    for revision in range(1, times + 1):
        standing = [replace(entry, revision=revision) for entry in made]
        again = [replace(entry, revision=revision + 1) for entry in made]
        balances = balances.after([reversal(entry, revision) for entry in standing]).after(again)
    assert told(balances) == told(once)
    assert balances.booked_to_block == once.booked_to_block


@given(entries(), st.integers(1, 9))
def test_each_revision_is_an_entry_of_its_own_that_says_the_same(entry, revision):
    again = replace(entry, revision=revision + 1)
    taken = reversal(replace(entry, revision=revision), revision)
    assert again.digest == entry.digest
    assert len({again.entry_id, taken.entry_id, replace(entry, revision=revision).entry_id}) == 3
    assert taken.reverses == replace(entry, revision=revision).entry_id
    assert taken.digest != entry.digest


def test_the_first_revision_keeps_the_id_that_entries_always_had():
    entry = JournalEntry(BOOK.deal_id, EntryKind.LANDED, "0xab", "wrap", block(1), ())
    assert entry.entry_id == replace(entry, revision=1).entry_id
    assert entry.entry_id != replace(entry, revision=2).entry_id
