"""From a mined leg to its journal entry: amounts come from the receipt's events; pure.

Two events of one receipt tell each amount: the token's own transfer moves the wallet, the venue's
event the account opposite. Where they disagree the entry does not balance and is refused.
"""

from holdfast.common.errors import Broken
from holdfast.common.evm import Receipt
from holdfast.common.money import TokenAmount
from holdfast.ledger.landed import Landed, landed
from holdfast.ledger.model import Account, Book, EntryKind, JournalEntry, Posting, moved
from holdfast.ledger.venues import VENUE_POSTINGS
from holdfast.model.leg import Leg, LegKind, LegStatus

_KINDS = {
    LegStatus.LANDED: EntryKind.LANDED,
    LegStatus.REVERTED: EntryKind.REVERTED,
    LegStatus.CANCELLED: EntryKind.NO_OP,
}


def entries_for(
    book: Book, leg: Leg, status: LegStatus, receipt: Receipt
) -> tuple[JournalEntry, ...]:
    """The entry of one mined transaction of a leg: what it moved, and the gas it cost.

    A leg that reverted, and the no-op that cancelled one, cost gas and moved nothing. Where nothing
    at all was paid or moved there is no entry.

    Raises:
        Broken: `ledger.status` when the status cannot be that of the receipt, `ledger.event` when
            an event to book from is not there exactly once, `ledger.recipient`, `ledger.payer`,
            `ledger.token` or `ledger.swap` for what no deal does, `ledger.unbalanced` when two
            events disagree.
    """
    _require_possible(status, receipt)
    effects = _effects(landed(book, leg, receipt)) if status is LegStatus.LANDED else ()
    postings = (*effects, *_gas(book, receipt))
    if not postings:
        return ()
    entry = JournalEntry(
        deal_id=book.deal_id,
        kind=_KINDS[status],
        reference=receipt.tx_hash,
        label=leg.kind,
        block=receipt.block,
        postings=postings,
        leg_id=leg.leg_id,
        tx_hash=receipt.tx_hash,
    )
    return (entry,)


def no_op_entries(book: Book, receipt: Receipt) -> tuple[JournalEntry, ...]:
    """The entry of a no-op that is no leg: it filled a gap before the deal's nonces; gas alone.

    Raises:
        Broken: `ledger.payer` when no account of the deal paid for it.
    """
    postings = _gas(book, receipt)
    if not postings:
        return ()
    kind = EntryKind.NO_OP
    tx = receipt.tx_hash
    return (JournalEntry(book.deal_id, kind, tx, kind, receipt.block, postings, tx_hash=tx),)


def _require_possible(status: LegStatus, receipt: Receipt) -> None:
    possible = {
        LegStatus.LANDED: receipt.succeeded,
        LegStatus.REVERTED: not receipt.succeeded,
        LegStatus.CANCELLED: True,
        LegStatus.DISPLACED: False,
        LegStatus.SENT: False,
    }
    if not possible[status]:
        raise Broken(
            "ledger.status",
            f"a leg that is {status} cannot have the receipt of {receipt.tx_hash}",
            tx_hash=receipt.tx_hash,
        )


def _effects(done: Landed) -> tuple[Posting, ...]:
    accounts = done.book.accounts
    returns = done.leg.kind is LegKind.RETURN_TOKEN
    payee = accounts.treasury_return if returns else accounts.deal
    return (*done.wallet(), *done.withheld(payee), *VENUE_POSTINGS[done.leg.kind](done))


def _gas(book: Book, receipt: Receipt) -> tuple[Posting, ...]:
    """Whoever signed pays; what the float pays, the treasury contributes besides."""
    payers = {book.accounts.deal: Account.WALLET, book.accounts.float: Account.CONTRIBUTED}
    payer = payers.get(receipt.sender)
    if payer is None:
        raise Broken(
            "ledger.payer",
            f"{receipt.sender} paid for {receipt.tx_hash} and is no account of this deal",
            tx_hash=receipt.tx_hash,
            sender=receipt.sender,
        )
    return moved(Account.GAS, payer, TokenAmount(book.tokens.native, receipt.fee_wei))
