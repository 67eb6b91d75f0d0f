"""The start-up check that signatures come from the compiled curve library."""

from __future__ import annotations

from typing import Any, Final, cast

from coincurve import PrivateKey, PublicKey
from eth_keys.backends import get_backend_class
from eth_keys.backends.coincurve import CoinCurveECCBackend

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
    signature = recoverable_signature(key, _PROBE_DIGEST)
    recovered = PublicKey.from_signature_and_message(signature, _PROBE_DIGEST, hasher=None)
    if recovered != key.public_key:
        raise Broken(
            "signing.backend", "coincurve does not recover its own signature: reinstall it"
        )


def recoverable_signature(key: PrivateKey, digest: bytes) -> bytes:
    """r, s and the recovery id over a 32-byte digest, 65 bytes (RFC 6979 nonces)."""
    signer = cast("Any", key)  # the library leaves a parameter's type open
    return bytes(signer.sign_recoverable(digest, hasher=None))
