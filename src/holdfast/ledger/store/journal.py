"""Entries written in one statement per batch, and balances read in one.

Balances are one GROUP BY over a deal's hundred-odd postings, read through one index. A table of
running balances would save a fraction of a millisecond and be a second copy of the truth. Only what
all deals book on a core address is kept as a sum: adding it up anew grew with every deal.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

import orjson
from sqlalchemy import func, select, text

from holdfast.common.db import Session
from holdfast.common.evm import Address
from holdfast.common.ids import ChainId, DealId
from holdfast.common.money import Token
from holdfast.ledger.model import Account, Balances, Book, Held, JournalEntry, Posting
from holdfast.ledger.store.tables import ledger_core, ledger_entries

# Rows travel as one JSON value: one parameter and one plan whatever the number of rows. Amounts in
# it are text, as they may pass 64 bits.
BOOK_ENTRIES = """
    booked AS (
      INSERT INTO ledger_entries (
        entry_id, deal_id, participant_bank_id, chain_id, kind, reference, label, leg_id, tx_hash,
        block_number, block_hash, block_timestamp, digest, revision, reverses)
      SELECT e.entry_id, :deal_id, :bank, :chain_id, e.kind, e.reference, e.label, e.leg_id,
        e.tx_hash, e.block_number, e.block_hash, e.block_timestamp, decode(e.digest, 'hex'),
        e.revision, e.reverses
      FROM jsonb_to_recordset(CAST(:entries AS jsonb)) AS e(
        entry_id uuid, kind text, reference text, label text, leg_id uuid, tx_hash text,
        block_number bigint, block_hash text, block_timestamp bigint, digest text,
        revision smallint, reverses uuid)
      ON CONFLICT DO NOTHING RETURNING entry_id
    ), posted AS (
      INSERT INTO ledger_postings (
        entry_id, position, deal_id, participant_bank_id, chain_id, account, symbol, decimals,
        token_address, holder, units, scaled)
      SELECT p.entry_id, p.position, :deal_id, :bank, :chain_id, p.account, p.symbol, p.decimals,
        p.token_address, p.holder, p.units, p.scaled
      FROM jsonb_to_recordset(CAST(:postings AS jsonb)) AS p(
        entry_id uuid, position smallint, account text, symbol text, decimals smallint,
        token_address text, holder text, units numeric(78, 0), scaled numeric(78, 0))
      JOIN booked USING (entry_id)
    )
"""
"""The part of a statement that writes what `entry_values` gives; `booked` is what was new."""
_INSERT_ENTRIES = text(f"WITH {BOOK_ENTRIES} SELECT entry_id FROM booked")  # noqa: S608 - constant

STANDING_SQL = """
    WITH held AS (
      SELECT account, chain_id, symbol, decimals, token_address, holder,
        sum(units) AS units, sum(scaled) AS scaled
      FROM ledger_postings WHERE deal_id = :deal_id
      GROUP BY account, chain_id, symbol, decimals, token_address, holder
    ), core AS (SELECT chain_id, holder FROM held WHERE account = 'asset/core' LIMIT 1),
    entries AS (
      SELECT e.kind, e.reference, e.digest, e.block_number, r.revision AS taken_back
      FROM ledger_entries AS e LEFT JOIN ledger_entries AS r ON r.reverses = e.entry_id
      WHERE e.deal_id = :deal_id
    )
    SELECT held.*,
      (SELECT coalesce(max(block_number), 0) FROM entries
        WHERE taken_back IS NULL AND kind <> 'reversal') AS last,
      (SELECT coalesce(max(taken_back), 0) + 1 FROM entries) AS revision,
      (SELECT units FROM ledger_core JOIN core USING (chain_id, holder)) AS core,
      (SELECT json_object_agg(reference, encode(digest, 'hex')) FROM entries
        WHERE taken_back IS NULL AND reference = ANY(CAST(:references AS text[]))) AS booked
    FROM held
"""
"""Balances, the last booked block, the revision of what is booked next, the sum over all deals on
the same core address, and what stands booked under some references."""
_STANDING = text(STANDING_SQL)
_BALANCES = text("""
    SELECT deal_id, account, chain_id, symbol, decimals, token_address,
      sum(units) AS units, sum(scaled) AS scaled
    FROM ledger_postings WHERE deal_id = ANY(CAST(:deals AS uuid[]))
    GROUP BY deal_id, account, chain_id, symbol, decimals, token_address
""")


@dataclass(frozen=True, slots=True)
class Standing:
    """A deal's balances, and the wei booked on its core address over all open deals.

    `booked` holds the digests of those of the given references that are booked and not taken back,
    `revision` is that of the next entry.
    """

    balances: Balances
    core_booked: int
    booked: Mapping[str, bytes]
    revision: int = 1


async def insert_entries(session: Session, book: Book, entries: Sequence[JournalEntry]) -> int:
    """Write those of `entries` that are not booked yet; return how many were written."""
    written = await session.execute(_INSERT_ENTRIES, entry_values(book, entries))
    return len(written.all())


def entry_values(book: Book, entries: Sequence[JournalEntry]) -> dict[str, object]:
    """The values of `BOOK_ENTRIES` for `entries`."""
    named = [(str(entry.entry_id), entry) for entry in entries]
    rows = [_entry_row(name, entry) for name, entry in named]
    postings = [
        _posting_row(book, name, position, posting)
        for name, entry in named
        for position, posting in enumerate(entry.postings)
    ]
    return {
        "deal_id": book.deal_id,
        "bank": book.bank,
        "chain_id": book.chain_id,
        "entries": orjson.dumps(rows).decode(),
        "postings": orjson.dumps(postings).decode(),
    }


async def digests(session: Session, deal: DealId) -> Mapping[str, bytes]:
    """What every booked entry of the deal that stands says, by its reference."""
    table, taken_back = ledger_entries.c, ledger_entries.alias()
    query = (
        select(table.reference, table.digest)
        .outerjoin(taken_back, taken_back.c.reverses == table.entry_id)
        .where(table.deal_id == deal, taken_back.c.entry_id.is_(None))
    )
    return {row.reference: row.digest for row in await session.execute(query)}


async def standing(session: Session, deal: DealId, references: Sequence[str] = ()) -> Standing:
    """The deal's balances now, by adding up its postings."""
    asked = {"deal_id": deal, "references": list(references)}
    rows = (await session.execute(_STANDING, asked)).all()
    if not rows:
        return Standing(Balances(), 0, {})
    held: dict[tuple[Account, Token], Held] = {}
    for row in rows:
        token = row.chain_id, row.symbol, row.decimals, row.token_address
        held[_key(row.account, token)] = Held(int(row.units), int(row.scaled))
    first = rows[0]
    digests: dict[str, str] = first.booked or {}
    booked = {name: bytes.fromhex(digest) for name, digest in digests.items()}
    balances = Balances(MappingProxyType(held), first.last)
    return Standing(balances, int(first.core or 0), booked, first.revision)


async def balances_of(session: Session, deals: Collection[DealId]) -> dict[DealId, Balances]:
    """Every balance of each of the deals, without the last booked block; none for one without."""
    held: dict[DealId, dict[tuple[Account, Token], Held]] = {}
    found = await session.execute(_BALANCES, {"deals": list(deals)})
    for deal, account, *token, units, scaled in found:
        held.setdefault(deal, {})[_key(account, tuple(token))] = Held(int(units), int(scaled))
    return {deal: Balances(MappingProxyType(amounts)) for deal, amounts in held.items()}


async def lock_core(session: Session, core: Address) -> None:
    """Make workers of the version before wait that book on this core address too.

    They book under this lock, and do not rely on the row of the sum. To be removed with the next
    version: among ourselves that row, locked when it is added to, is enough.
    """
    await session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(core, 0))))


async def core_booked(session: Session, chain: ChainId, core: Address) -> int:
    """Wei booked on the core address over all open deals."""
    table = ledger_core.c
    query = select(table.units).where(table.chain_id == chain, table.holder == core)
    return (await session.execute(query)).scalar() or 0


def _entry_row(name: str, entry: JournalEntry) -> dict[str, object]:
    return {
        "entry_id": name,
        "kind": entry.kind,
        "reference": entry.reference,
        "label": entry.label,
        "leg_id": None if entry.leg_id is None else str(entry.leg_id),
        "tx_hash": entry.tx_hash,
        "block_number": entry.block.number,
        "block_hash": entry.block.hash,
        "block_timestamp": entry.block.timestamp,
        "digest": entry.digest.hex(),
        "revision": entry.revision,
        "reverses": None if entry.reverses is None else str(entry.reverses),
    }


def _posting_row(book: Book, name: str, position: int, posting: Posting) -> dict[str, object]:
    token = posting.amount.token
    return {
        "entry_id": name,
        "position": position,
        "account": posting.account,
        "symbol": token.symbol,
        "decimals": token.decimals,
        "token_address": token.address,
        "holder": book.holder(posting.account),
        "units": str(posting.amount.units),
        "scaled": str(posting.scaled),
    }


@lru_cache(maxsize=1024)  # some twenty for each chain, met again with every deal
def _key(account: str, token: tuple[ChainId, str, int, Address | None]) -> tuple[Account, Token]:
    return Account(account), Token(*token)
