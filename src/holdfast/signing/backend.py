"""The start-up check that signatures come from the compiled curve library."""

from __future__ import annotations

from typing import Final

from coincurve import PrivateKey, PublicKey
from eth_keys.backends import CoinCurveECCBackend, get_backend_class

from holdfast.common.errors import Broken

# A key and digest of no one; the point is that this library's own answer verifies.
_PROBE_SECRET: Final = bytes(31) + b"\x01"
_PROBE_DIGEST: Final = bytes(range(32))


def assert_native_backend() -> None:
    """Check that coincurve's compiled library signs, here and inside eth-account.

    Raises:
        Broken: `signing.backend` when a pure Python curve would be used: it is ten times slower
            and not hardened against timing.
    """
    backend = get_backend_class()
    if not issubclass(backend, CoinCurveECCBackend):
        raise Broken(
            "signing.backend",
            f"eth-keys would sign with {backend.__name__}: install coincurve and unset "
            "ECC_BACKEND_CLASS",
        )
    key = PrivateKey(_PROBE_SECRET)
    signature = key.sign_recoverable(_PROBE_DIGEST, hasher=None)
    recovered = PublicKey.from_signature_and_message(signature, _PROBE_DIGEST, hasher=None)
    if recovered != key.public_key:
        raise Broken("signing.backend", "coincurve does not recover its own signature: reinstall it")
