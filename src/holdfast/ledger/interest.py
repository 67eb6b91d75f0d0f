"""Interest, computed by us: scaled balances from events times the pool's index; pure."""

from holdfast.common.errors import Transient
from holdfast.common.evm import BlockRef
from holdfast.common.money import TokenAmount
from holdfast.ledger.model import Account, Balances, Book, EntryKind, JournalEntry, Posting, moved
from holdfast.ledger.ports import Indexes
from holdfast.protocols.aave_v3.math import unscaled
from holdfast.protocols.aave_v3.reserve import Reserve


def indexes_at(at: BlockRef, *, weth: Reserve, usdt: Reserve) -> Indexes:
    """The indexes at the block's time, from the two reserves as they were last updated.

    Raises:
        Broken: `aave.time_order` when a reserve was updated after the block.
    """
    return Indexes(at, weth.income_index_at(at.timestamp), usdt.debt_index_at(at.timestamp))


def accrual(book: Book, balances: Balances, indexes: Indexes) -> tuple[JournalEntry, ...]:
    """The entry that brings the lending positions from their booked value to that at the block.

    The difference is the interest since the last booking, and the base unit by which the pool's
    rounding differs from the amounts moved. Nothing when nothing changed.

    Raises:
        Transient: `ledger.block_behind` when the block is older than what is already booked.
    """
    _require_not_behind(balances, indexes.at)
    collateral = balances.of(Account.COLLATERAL, book.tokens.weth)
    debt = balances.of(Account.DEBT, book.tokens.usdt)
    earned = unscaled(collateral.scaled, indexes.income_ray) - collateral.units
    owed = unscaled(-debt.scaled, indexes.debt_ray) + debt.units
    postings = (
        *moved(Account.COLLATERAL, Account.SUPPLY_INTEREST, TokenAmount(book.tokens.weth, earned)),
        *moved(Account.BORROW_INTEREST, Account.DEBT, TokenAmount(book.tokens.usdt, owed)),
    )
    # The values it starts from are part of the name: the same accrual again is the same entry,
    # one after a further leg of the same block is another.
    name = f"accrual:{indexes.at.hash}:{collateral.units}:{debt.units}"
    return _entries(book, indexes.at, name, postings)


def _require_not_behind(balances: Balances, at: BlockRef) -> None:
    if at.number < balances.booked_to_block:
        raise Transient(
            "ledger.block_behind",
            f"block {at.number} is older than block {balances.booked_to_block}, which is booked",
            limit=balances.booked_to_block,
            value=at.number,
        )


def _entries(
    book: Book, at: BlockRef, name: str, postings: tuple[Posting, ...]
) -> tuple[JournalEntry, ...]:
    if not postings:
        return ()
    return (JournalEntry(book.deal_id, EntryKind.ACCRUAL, name, "interest", at, postings),)
