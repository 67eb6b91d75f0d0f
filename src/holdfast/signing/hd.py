"""The key backend that derives every deal's key from one sealed seed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from holdfast.common.errors import Rejected
from holdfast.common.evm import Address, checksummed, keccak256
from holdfast.signing.backend import assert_native_backend, recoverable_signature
from holdfast.signing.derivation import account_root, deal_key
from holdfast.signing.keystore import KeyNetwork, OpenedSeed, open_seed
from holdfast.signing.model import KeyRef

if TYPE_CHECKING:
    from pathlib import Path

    from coincurve import PrivateKey

    from holdfast.chain.profiles import ChainProfile
    from holdfast.common.ids import DealId
    from holdfast.common.secret import Secret

BACKEND: Final = "hd"
FLOAT_INDEX: Final = 0
"""The float's key; deals are numbered from 1."""


@dataclass(frozen=True, slots=True, repr=False)
class HdSigner:
    """One derived key."""

    key_ref: KeyRef
    address: Address
    _key: PrivateKey

    async def sign_digest(self, digest: bytes) -> tuple[int, int]:
        """The ECDSA values r and s over a 32-byte digest."""
        signature = recoverable_signature(self._key, digest)
        return int.from_bytes(signature[:32]), int.from_bytes(signature[32:64])


class HdKeyProvider:
    """Deal keys m/44'/60'/number'/0/0 of one seed; the keys in use stay in memory."""

    def __init__(self, opened: OpenedSeed) -> None:
        assert_native_backend()
        self._root = account_root(opened.seed.use())
        self._seed_id = keccak256(b"holdfast.seed\n" + opened.seed.use()).hex()[:16]
        self._signers: dict[str, HdSigner] = {}

    @classmethod
    def from_keystore(
        cls, path: Path, passphrase: Secret[str], profile: ChainProfile
    ) -> HdKeyProvider:
        """The provider over the keystore at `path`, for one chain.

        Raises:
            Rejected: what `open_seed` says; `keys.devnet_only` for a devnet keystore on a
                production chain, `keys.production_only` for the reverse.
        """
        opened = open_seed(path, passphrase)
        require_network(opened.network, profile)
        return cls(opened)

    async def create(self, deal_id: DealId, deal_number: int) -> KeyRef:  # noqa: ARG002 - the port
        """The reference of a deal's key; nothing is stored, as the seed holds every key.

        Raises:
            Rejected: `signing.float_index` for number 0, which is the float's.
        """
        if deal_number == FLOAT_INDEX:
            raise Rejected("signing.float_index", "key 0 is the float's: deals count from 1")
        return self.ref(deal_number)

    def ref(self, index: int) -> KeyRef:
        """The reference of the key with `index`; `FLOAT_INDEX` is the float's."""
        return KeyRef(BACKEND, f"{self._seed_id}/{index}")

    async def open(self, ref: KeyRef) -> HdSigner:
        """The signer of `ref`.

        Raises:
            Rejected: `signing.foreign_key` when `ref` is of another backend or seed.
        """
        signer = self._signers.get(ref.key_id)
        if signer is None:
            signer = self._signers[ref.key_id] = self._derived(ref)
        return signer

    async def retire(self, ref: KeyRef) -> None:
        """Forget the derived key; the seed can derive it again."""
        self._signers.pop(ref.key_id, None)

    def _derived(self, ref: KeyRef) -> HdSigner:
        seed_id, _, index = ref.key_id.partition("/")
        if ref.backend != BACKEND or seed_id != self._seed_id or not index.isdecimal():
            raise Rejected(
                "signing.foreign_key",
                f"key {ref.key_id} of {ref.backend} is not one of this keystore: "
                "open the keystore that the deal was created with",
            )
        key = deal_key(self._root, int(index))
        return HdSigner(ref, _address_of(key), key)


def require_network(network: KeyNetwork, profile: ChainProfile) -> None:
    """Check that a keystore's mark fits the chain.

    A production key must not sign on the devnet either: it runs under a real chain's id, so its
    signatures could be replayed there.

    Raises:
        Rejected: `keys.devnet_only` or `keys.production_only`.
    """
    if profile.is_devnet == (network is KeyNetwork.DEVNET):
        return
    code = "keys.devnet_only" if network is KeyNetwork.DEVNET else "keys.production_only"
    raise Rejected(
        code,
        f"the keystore is marked {network} and never signs for {profile.name}: give another",
        chain_id=profile.chain_id,
    )


def _address_of(key: PrivateKey) -> Address:
    return checksummed(keccak256(key.public_key.format(compressed=False)[1:])[12:])
