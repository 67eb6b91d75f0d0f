"""Booking, accruing and reconciling, inside the caller's transaction and under the deal's lock."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from holdfast.common.db import Session
from holdfast.common.errors import Broken, Rejected
from holdfast.common.evm import BlockRef, TxHash
from holdfast.common.ids import DealId
from holdfast.common.money import Token, TokenAmount
from holdfast.ledger import bookings, store
from holdfast.ledger.interest import accrual
from holdfast.ledger.model import Account, Balances, Book, JournalEntry, reversal
from holdfast.ledger.ports import ChainBalances, Indexes
from holdfast.ledger.reconciliation import Line, Reconciliation, reconciled


@dataclass(frozen=True, slots=True)
class Settled:
    """A deal's balances after everything up to one block was booked, compared with the chain.

    `unexplained` is where the chain shows less than the ledger, and that by more than it did when
    the two were compared before. `is_exact` says whether they agreed to the unit before what came
    unasked was booked.
    """

    balances: Balances
    reconciliation: Reconciliation
    unexplained: tuple[Line, ...] = ()
    is_exact: bool = True


async def post(session: Session, book: Book, entries: Sequence[JournalEntry]) -> int:
    """Book those of `entries` that are not booked yet; return how many that was.

    Raises:
        Broken: `ledger.conflict` when an entry was booked before and said something else, as when
            a transaction that counted as final is now in another block.
    """
    if not entries:
        return 0
    written = await store.insert_entries(session, book, entries)
    if written < len(entries):
        await _require_same(session, book, entries)
    return written


async def book_core(
    session: Session, book: Book, amount: TokenAmount, *, held_wei: int, at: BlockRef
) -> None:
    """Commit `amount` of the core address to the deal; deals that do so at once take turns.

    Args:
        session: the caller's transaction; other deals' bookings of this address wait for its end.
        book: the deal's ledger.
        amount: native token that the deal counts as its core.
        held_wei: what the core address holds at `at`.
        at: the block.

    Raises:
        Rejected: `ledger.core_short` when the address holds less than all open deals book on it.
    """
    await store.lock_core(session, book.accounts.core)
    await post(session, book, (bookings.core_booked(book, amount, at),))
    booked = await store.core_booked(session, book.chain_id, book.accounts.core)
    if booked > held_wei:
        raise Rejected(
            "ledger.core_short",
            f"core {book.accounts.core} holds {held_wei} wei and {booked} would be booked on it",
            limit=held_wei,
            value=booked,
        )


async def core_booked(session: Session, book: Book) -> int:
    """Wei booked on the deal's core address over all open deals."""
    return await store.core_booked(session, book.chain_id, book.accounts.core)


async def release_core(session: Session, book: Book, at: BlockRef) -> None:
    """End the deal's hold on the core address."""
    held = (await store.standing(session, book.deal_id)).balances
    await post(session, book, bookings.core_released(book, held, at))


async def accrue(session: Session, book: Book, indexes: Indexes) -> Balances:
    """Book interest up to the indexes' block and return the balances after it.

    Raises:
        Transient: `ledger.block_behind` when the block is older than what is already booked.
    """
    now = await store.standing(session, book.deal_id)
    entries = [_of(now, entry) for entry in accrual(book, now.balances, indexes)]
    await post(session, book, entries)
    return now.balances.after(entries)


async def take_back(session: Session, book: Book, gone: Sequence[TxHash], first: int) -> int:
    """Reverse what was booked of transactions that a reorg took back; returns how many entries.

    Interest and claims booked at block `first`, the lowest that is gone, or later go with them:
    they were computed on a chain that is no more, and are booked anew when the deal goes on.
    """
    untrue = await store.untrue_entries(session, book.deal_id, gone, first)
    now = await store.standing(session, book.deal_id)
    return await post(session, book, [reversal(entry, now.revision) for entry in untrue])


async def reconcile(session: Session, book: Book, chain: ChainBalances) -> Reconciliation:
    """Compare the ledger with the chain and store the result; call `accrue` at the block first."""
    now = await store.standing(session, book.deal_id)
    made = reconciled(book, now.balances, chain, core_booked=now.core_booked)
    await store.insert_reconciliation(session, book, made)
    return made


async def settle(
    session: Session,
    book: Book,
    entries: Sequence[JournalEntry],
    *,
    indexes: Indexes,
    chain: ChainBalances,
    is_claim: bool = False,
) -> Settled:
    """Book `entries` and the interest, mark or unmark the claim, and reconcile: two statements.

    `entries` are those of everything mined up to the block and not booked yet; `is_claim` says
    whether tokens still to be redeemed are a claim now, as in HOLDING and after `--keep-claim`.

    Raises:
        Broken: `ledger.conflict`, see `post`; `ledger.blocks` when `indexes` and `chain` were not
            read at the same block.
        Transient: `ledger.block_behind` when that block is older than what is already booked.
    """
    if indexes.at != chain.at:
        raise Broken("ledger.blocks", "indexes and balances were read at two different blocks")
    now = await store.standing(session, book.deal_id, [entry.reference for entry in entries])
    _require_said(now.booked, [entry for entry in entries if entry.reference in now.booked])
    fresh = [_of(now, entry) for entry in entries if entry.reference not in now.booked]
    held = now.balances.after(fresh)
    marked = bookings.claim_marked(book, held, chain.at, is_claim=is_claim)
    further = [_of(now, entry) for entry in (*accrual(book, held, indexes), *marked)]
    balances = held.after(further)
    made = reconciled(book, balances, chain, core_booked=now.core_booked)
    is_exact = made.is_exact
    given = [_of(now, entry) for entry in bookings.unsolicited(book, balances, made)]
    if given:
        further, balances = [*further, *given], balances.after(given)
        made = reconciled(book, balances, chain, core_booked=now.core_booked)
    unexplained = await _unexplained(session, book, made)
    written = [*fresh, *further]
    if await store.insert_settlement(session, book, written, made) < len(written):
        await _require_same(session, book, written)
    return Settled(balances, made, unexplained, is_exact)


async def balances(session: Session, deal: DealId) -> Balances:
    """Every balance of the deal."""
    return (await store.standing(session, deal)).balances


async def balances_of(session: Session, deals: Collection[DealId]) -> dict[DealId, Balances]:
    """Every balance of each of the deals, without the last booked block; empty for one without."""
    found = await store.balances_of(session, deals)
    return {deal: found.get(deal, Balances()) for deal in deals}


async def trial_balance(session: Session, deal: DealId) -> dict[Token, int]:
    """The sum of all accounts for each token: zero, or the ledger is broken."""
    return (await balances(session, deal)).trial()


async def _unexplained(session: Session, book: Book, made: Reconciliation) -> tuple[Line, ...]:
    lines = [line for line in made.mismatches if line.missing and line.account != Account.CORE]
    if not lines:
        return ()
    known = await store.last_missing(session, book.deal_id)
    # What is missing at the lending venue grows with the interest on it.
    return tuple(
        line
        for line in lines
        if line.missing > known.get((line.account, line.ledger.token.symbol), 0) * 101 // 100
    )


def _of(now: store.Standing, entry: JournalEntry) -> JournalEntry:
    """`entry` as it is booked now: what was taken back before does not stand in its way."""
    return replace(entry, revision=now.revision)


async def _require_same(session: Session, book: Book, entries: Sequence[JournalEntry]) -> None:
    _require_said(await store.digests(session, book.deal_id), entries)


def _require_said(booked: Mapping[str, bytes], entries: Sequence[JournalEntry]) -> None:
    for entry in entries:
        if booked.get(entry.reference) != entry.digest:
            raise Broken(
                "ledger.conflict",
                f"{entry.label} ({entry.reference}) was booked before and says something else now",
                reference=entry.reference,
            )
