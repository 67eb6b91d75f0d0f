"""Signatures of the model: bytes that name their transaction, and cost no curve arithmetic.

The product's own encoder and curve are tested elsewhere. Here `sign_transaction` of the modules
under test is replaced, so that a chain of the model knows what any bytes mean.
"""

from __future__ import annotations

import hashlib
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from unittest import mock

import holdfast.transactions.loop  # noqa: F401 - so that all of its modules are there to be patched
from holdfast.signing.model import SignedTx


@dataclass(frozen=True, slots=True)
class Tx:
    """One signed transaction as nodes read it."""

    raw: bytes
    hash: str
    sender: str
    nonce: int
    tip: int
    cap: int
    to: str
    value: int
    data: bytes
    gas: int

    @property
    def slot(self):
        """The one place in the chain's history that it can take."""
        return self.sender, self.nonce


class Signed:
    """Every transaction that was ever signed, by its bytes."""

    def __init__(self):
        self.by_raw = {}
        self.by_hash = {}

    def sign(self, sender, fields):
        fees = fields.fees
        parts = (sender, fields.nonce, fees.tip_wei, fees.cap_wei, fields.to, fields.value_wei)
        raw = repr((*parts, fields.data, fields.gas_limit)).encode()
        tx_hash = "0x" + hashlib.blake2b(raw, digest_size=32).hexdigest()
        tx = Tx(raw, tx_hash, *parts, fields.data, fields.gas_limit)
        self.by_raw[raw] = self.by_hash[tx_hash] = tx
        return tx

    async def sign_transaction(self, signer, fields):
        """Stands in for `holdfast.signing.transaction.sign_transaction`."""
        tx = self.sign(signer.address, fields)
        return SignedTx(tx.raw, tx.hash)


@dataclass(frozen=True, slots=True)
class _Signer:
    address: str


class Keys:
    """Opens the key of any account: a key's id is its address."""

    async def open(self, ref):
        return _Signer(ref.key_id)


@contextmanager
def stand_ins(world):
    """Have `holdfast.transactions` take signatures, ids and pauses after errors from `world`."""
    models = dict.fromkeys(("new_intent_id", "new_leg_id", "new_group_id"), world.new_id)
    models["sign_transaction"] = world.signed.sign_transaction
    with ExitStack() as patches:
        patches.enter_context(mock.patch("stamina._core.random", world.rng))
        for module, name in _USES:
            patches.enter_context(mock.patch.object(module, name, models[name]))
        yield


def _uses():
    names = ("sign_transaction", "new_intent_id", "new_leg_id", "new_group_id")
    modules = [
        module
        for name, module in sorted(sys.modules.items())
        if name.startswith("holdfast.transactions.")
    ]
    return [(module, name) for module in modules for name in names if hasattr(module, name)]


_USES = _uses()
