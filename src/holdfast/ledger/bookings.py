"""Entries that no transaction makes: core and claims, booked and released; pure."""

from collections.abc import Sequence

from holdfast.common.evm import BlockRef
from holdfast.common.money import TokenAmount
from holdfast.ledger.model import Account, Balances, Book, EntryKind, JournalEntry, Posting, moved
from holdfast.ledger.reconciliation import Reconciliation

_CLAIMED = {Account.WALLET: Account.CLAIM_HELD, Account.QUEUE: Account.CLAIM_QUEUED}


def core_booked(book: Book, amount: TokenAmount, at: BlockRef) -> JournalEntry:
    """Core is committed to the deal: it stays where it is, and counts as contributed."""
    postings = moved(Account.CORE, Account.CONTRIBUTED, amount)
    return JournalEntry(
        book.deal_id, EntryKind.CORE_BOOKED, EntryKind.CORE_BOOKED, "core", at, postings
    )


def core_released(book: Book, balances: Balances, at: BlockRef) -> tuple[JournalEntry, ...]:
    """Core is free again; nothing when none was booked."""
    amount = TokenAmount(book.tokens.native, balances.units(Account.CORE, book.tokens.native))
    postings = moved(Account.CONTRIBUTED, Account.CORE, amount)
    if not postings:
        return ()
    kind = EntryKind.CORE_RELEASED
    return (JournalEntry(book.deal_id, kind, kind, "core", at, postings),)


def claim_marked(
    book: Book, balances: Balances, at: BlockRef, *, is_claim: bool
) -> tuple[JournalEntry, ...]:
    """All tokens still to be redeemed, called a claim or no longer; nothing when they are already.

    They stay where they are: with the deal's key, or in the desk's queue.
    """
    pairs = [(a, b) if is_claim else (b, a) for a, b in _CLAIMED.items()]
    token = book.tokens.usdtz
    amounts = [TokenAmount(token, balances.units(origin, token)) for origin, _ in pairs]
    postings = tuple(
        posting
        for (origin, to), amount in zip(pairs, amounts, strict=True)
        for posting in moved(to, origin, amount)
    )
    if not postings:
        return ()
    kind = EntryKind.CLAIM_BOOKED if is_claim else EntryKind.CLAIM_RELEASED
    name = f"{kind}:{at.hash}:" + ":".join(str(amount.units) for amount in amounts)
    return (JournalEntry(book.deal_id, kind, name, "claim", at, postings),)


def unsolicited(book: Book, balances: Balances, made: Reconciliation) -> tuple[JournalEntry, ...]:
    """What the account holds beyond the books: anybody can send it something, unasked.

    It is no profit and no reason to stop. What is missing later, as when a reorg took the gift
    back, is taken from what was given before, never from what is ours.
    """
    given = {token: -balances.units(Account.UNSOLICITED, token) for token in book.tokens.all}
    postings: list[Posting] = []
    for line in made.lines:
        if line.account not in {Account.WALLET, Account.QUEUE}:
            continue
        token = line.ledger.token
        more = max(line.chain.units - line.ledger.units, -given[token])
        given[token] += more
        postings += moved(line.account, Account.UNSOLICITED, TokenAmount(token, more))
    return _unsolicited(book, made.at, postings) if postings else ()


def _unsolicited(book: Book, at: BlockRef, postings: Sequence[Posting]) -> tuple[JournalEntry, ...]:
    kind = EntryKind.UNSOLICITED
    name = f"{kind}:{at.hash}:" + ":".join(str(one.amount.units) for one in postings)
    return (JournalEntry(book.deal_id, kind, name, "unsolicited", at, tuple(postings)),)
