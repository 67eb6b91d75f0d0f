"""What the rest of the product may ask of a key: its address and a signature, never the key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from holdfast.common.evm import Address
    from holdfast.common.ids import DealId
    from holdfast.signing.model import KeyRef


class Signer(Protocol):
    """One key; every signature is checked against its `address`, pinned when it is opened."""

    @property
    def key_ref(self) -> KeyRef:
        """Which key this is."""
        ...

    @property
    def address(self) -> Address:
        """The account that the key controls."""
        ...

    async def sign_digest(self, digest: bytes) -> tuple[int, int]:
        """The ECDSA values r and s over a 32-byte digest; callers use `sign_transaction`."""
        ...


class KeyProvider(Protocol):
    """One backend's keys, one key per deal."""

    async def create(self, deal_id: DealId, deal_number: int) -> KeyRef:
        """The key of a deal, made on first use; the same deal gives the same key.

        Args:
            deal_id: labels the key in backends that generate keys.
            deal_number: the deal's index, from 1, in backends that derive keys.
        """
        ...

    async def open(self, ref: KeyRef) -> Signer:
        """The signer of a key; cheap when it was opened before."""
        ...

    async def retire(self, ref: KeyRef) -> None:
        """Give up what is held of a key; it can sign no more through this provider."""
        ...
