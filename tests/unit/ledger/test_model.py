from dataclasses import replace

import pytest

from holdfast.common.errors import Broken
from holdfast.common.money import TokenAmount
from holdfast.ledger.model import Account, Balances, EntryKind, Held, JournalEntry, Posting, moved
from tests.unit.ledger.scene import BOOK, CORE, DEAL, DEAL_ID, ETH, TREASURY, USDT, block


def entry(*postings, reference="0xabc", number=5):
    return JournalEntry(DEAL_ID, EntryKind.LANDED, reference, "test", block(number), postings)


def line(account, token, units, scaled=0):
    return Posting(account, TokenAmount(token, units), scaled)


BALANCED = (line(Account.WALLET, USDT, 5), line(Account.DEBT, USDT, -5, -4))


@pytest.mark.parametrize(
    "postings",
    [
        (line(Account.WALLET, USDT, 1),),
        (line(Account.WALLET, USDT, 5), line(Account.DEBT, USDT, -4)),
        (line(Account.WALLET, USDT, 5), line(Account.DEBT, ETH, -5)),
    ],
    ids=["one-sided", "a unit short", "two tokens"],
)
def test_an_entry_that_does_not_sum_to_zero_for_each_token_is_refused(postings):
    with pytest.raises(Broken) as caught:
        entry(*postings)
    assert caught.value.code == "ledger.unbalanced"


def test_the_refusal_names_the_token_and_what_is_left_over():
    with pytest.raises(Broken) as caught:
        entry(line(Account.WALLET, USDT, 5), line(Account.DEBT, USDT, -4))
    assert (caught.value.fields["token"], caught.value.fields["value"]) == ("USDT", 1)


def test_the_same_reference_has_the_same_id_and_another_has_another():
    assert entry(*BALANCED).entry_id == entry(*BALANCED, number=9).entry_id
    assert entry(*BALANCED).entry_id != entry(*BALANCED, reference="0xabd").entry_id


@pytest.mark.parametrize(
    "change",
    [
        {"kind": EntryKind.REVERTED},
        {"block": block(6)},
        {"postings": (line(Account.WALLET, USDT, 6), line(Account.DEBT, USDT, -6, -4))},
        {"postings": (line(Account.WALLET, USDT, 5), line(Account.DEBT, USDT, -5, -5))},
        {"postings": (line(Account.RETURNED, USDT, 5), line(Account.DEBT, USDT, -5, -4))},
    ],
)
def test_the_digest_tells_entries_apart_that_say_different_things(change):
    one = entry(*BALANCED)
    assert replace(one, **change).digest != one.digest == entry(*BALANCED).digest


def test_balances_add_up_amounts_and_scaled_amounts_and_remember_the_last_block():
    after = Balances().after([entry(*BALANCED, number=8), entry(*BALANCED, number=3)])
    assert after.of(Account.DEBT, USDT) == Held(-10, -8)
    assert after.units(Account.WALLET, USDT) == 10
    assert after.units(Account.WALLET, ETH) == 0
    assert after.trial() == {USDT: 0}
    assert after.booked_to_block == 8


def test_moving_nothing_posts_nothing():
    assert moved(Account.WALLET, Account.DEBT, TokenAmount(USDT, 0)) == ()


@pytest.mark.parametrize(
    ("account", "holder"),
    [
        (Account.CORE, CORE),
        (Account.WALLET, DEAL),
        (Account.DEBT, DEAL),
        (Account.CLAIM_QUEUED, DEAL),
        (Account.RETURNED, TREASURY),
        (Account.GAS, None),
        (Account.TRADE_PURCHASE, None),
    ],
)
def test_accounts_that_the_chain_can_show_have_a_holder(account, holder):
    assert BOOK.holder(account) == holder
