"""What is signed and what comes of it; pure data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from holdfast.common.evm import Address, TxHash
    from holdfast.common.ids import ChainId


@dataclass(frozen=True, slots=True)
class KeyRef:
    """Which key of which backend; holds nothing secret, so it may be stored.

    `not_after` is when the key must have been rotated, None where no date is set.
    """

    backend: str
    key_id: str
    version: int = 1
    not_after: datetime | None = None


@dataclass(frozen=True, slots=True)
class Fees:
    """What one transaction offers for a unit of gas, in wei.

    `cap_wei` is the most that may be paid, `tip_wei` the part of it that may go to the block's
    producer. On a legacy chain both are the gas price.
    """

    cap_wei: int
    tip_wei: int
    is_legacy: bool = False


@dataclass(frozen=True, slots=True)
class TxFields:
    """One transaction before its signature; `value_wei` is the native token sent along."""

    chain_id: ChainId
    nonce: int
    to: Address
    data: bytes
    value_wei: int
    gas_limit: int
    fees: Fees


@dataclass(frozen=True, slots=True)
class SignedTx:
    """Signed bytes, ready to broadcast; the bytes stay out of every representation."""

    raw: bytes = field(repr=False)
    tx_hash: TxHash
