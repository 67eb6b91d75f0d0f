"""One entry of the record, and the hash that ties it to the entry before it; pure."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TypeAlias

from holdfast.common.errors import Broken
from holdfast.common.ids import BankId, ChainId, DealId

JsonValue: TypeAlias = "str | int | bool | Sequence[JsonValue] | Mapping[str, JsonValue] | None"
"""What a detail may hold; no floats, which are not written the same everywhere."""

_DOMAIN = b"holdfast.audit.1\n"


@dataclass(frozen=True, slots=True)
class Act:
    """What somebody did: `actor` is a principal or a part of the system, such as `worker`."""

    deal_id: DealId
    bank: BankId
    chain_id: ChainId
    actor: str
    action: str
    subject: str
    detail: Mapping[str, JsonValue]

    @property
    def detail_text(self) -> str:
        """The detail as canonical JSON: sorted keys, no spaces, ASCII only."""
        return json.dumps(self.detail, sort_keys=True, separators=(",", ":"), allow_nan=False)


@dataclass(frozen=True, slots=True)
class Link:
    """The end of a deal's chain: how many entries it has, and the hash of the last."""

    length: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class Entry:
    """One recorded act; `detail` is its canonical JSON, `digest` covers all that stands before."""

    deal_id: DealId
    seq: int
    bank: BankId
    chain_id: ChainId
    actor: str
    action: str
    subject: str
    detail: str
    at: datetime
    previous: bytes
    digest: bytes

    @property
    def link(self) -> Link:
        """The end of the chain when this entry is the last."""
        return Link(self.seq, self.digest)


def start(deal: DealId) -> Link:
    """The link before a deal's first entry; it differs for each deal, so chains do not mix."""
    return Link(0, hashlib.sha256(_DOMAIN + deal.bytes).digest())


def sealed(act: Act, at: datetime, after: Link) -> Entry:
    """`act` as the entry that follows `after`."""
    draft = Entry(
        deal_id=act.deal_id,
        seq=after.length + 1,
        bank=act.bank,
        chain_id=act.chain_id,
        actor=act.actor,
        action=act.action,
        subject=act.subject,
        detail=act.detail_text,
        at=at,
        previous=after.digest,
        digest=b"",
    )
    return replace(draft, digest=digest(draft))


def verified(deal: DealId, entries: Sequence[Entry]) -> Link:
    """The end of the chain that `entries`, in order, form.

    A chain whose last entries were removed is still a chain: compare the link with one that was
    noted elsewhere.

    Raises:
        Broken: `audit.chain` at the first entry that was changed, removed, added or moved.
    """
    link = start(deal)
    for entry in entries:
        fits = entry.deal_id == deal and entry.seq == link.length + 1
        if not fits or entry.previous != link.digest or entry.digest != digest(entry):
            raise Broken(
                "audit.chain",
                f"the record of deal {deal} does not hold at entry {link.length + 1}",
                deal_id=str(deal),
                seq=link.length + 1,
            )
        link = entry.link
    return link


def digest(entry: Entry) -> bytes:
    """SHA-256 over the previous digest and the entry's fields as a JSON list."""
    fields = [
        str(entry.deal_id),
        entry.seq,
        entry.bank,
        entry.chain_id,
        entry.actor,
        entry.action,
        entry.subject,
        entry.detail,
        entry.at.astimezone(UTC).isoformat(),
    ]
    text = json.dumps(fields, separators=(",", ":"))
    return hashlib.sha256(_DOMAIN + entry.previous + text.encode()).digest()
