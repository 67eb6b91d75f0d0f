"""The encrypted file that holds the seed of all deal keys, marked with the network it is for."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from holdfast.common.errors import Rejected
from holdfast.common.secret import Secret
from holdfast.signing.transaction import CURVE_ORDER

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

SEED_BYTES: Final = 32
_LENGTHS: Final = (SEED_BYTES, 2 * SEED_BYTES)  # the format seals 32 bytes at a time
_FORMAT: Final = "holdfast.seed.1"


class KeyNetwork(StrEnum):
    """Where a keystore's keys may sign."""

    DEVNET = "devnet"
    PRODUCTION = "production"


# Work factor of scrypt. Production: the one of geth's keystores, about 0.7 s and 256 MiB.
# Devnet seeds are public, so there the file only has to open quickly.
_WORK_FACTOR: Final = {KeyNetwork.PRODUCTION: 2**18, KeyNetwork.DEVNET: 2**10}


@dataclass(frozen=True, slots=True)
class OpenedSeed:
    """A seed in memory and the network its file was sealed for."""

    seed: Secret[bytes]
    network: KeyNetwork


def new_seed() -> Secret[bytes]:
    """A fresh 32-byte seed."""
    # The keystore format takes numbers under the curve's order only, which all but 2^-128 are.
    return Secret((secrets.randbelow(CURVE_ORDER - 1) + 1).to_bytes(SEED_BYTES))


def seal_seed(
    path: Path, seed: Secret[bytes], passphrase: Secret[str], network: KeyNetwork
) -> None:
    """Write `seed`, of 32 or 64 bytes, to a new file that only its owner may read.

    Raises:
        Rejected: `keystore.exists` when there is a file, `keystore.seed` for another length.
    """
    if len(seed.use()) not in _LENGTHS:
        raise Rejected("keystore.seed", "a seed has 32 bytes, or 64 when it is made from a phrase")
    password = _password(passphrase, network)
    parts = [
        _sealed(seed.use()[start : start + SEED_BYTES], password, network)
        for start in range(0, len(seed.use()), SEED_BYTES)
    ]
    _write_new(path, json.dumps({"format": _FORMAT, "network": str(network), "sealed": parts}))


def open_seed(path: Path, passphrase: Secret[str]) -> OpenedSeed:
    """The seed in the file at `path`.

    Raises:
        Rejected: `keystore.missing`, `keystore.malformed`, or `keystore.passphrase` when the
            passphrase is wrong or the file was edited.
    """
    network, parts = _parsed(path)
    password = _password(passphrase, network)
    try:
        seed = b"".join(_keyfile().decode_keyfile_json(part, password) for part in parts)
    except ValueError as error:
        raise Rejected(
            "keystore.passphrase",
            f"{path} does not open: the passphrase is wrong, or the file was edited",
        ) from error
    except (KeyError, TypeError) as error:
        raise _malformed(path) from error
    return OpenedSeed(Secret(seed), network)


def _sealed(part: bytes, password: bytes, network: KeyNetwork) -> dict[str, Any]:
    sealed = dict(
        _keyfile().create_keyfile_json(
            part, password, kdf="scrypt", iterations=_WORK_FACTOR[network]
        )
    )
    del sealed["address"]  # a part of a seed is no account's key
    return sealed


def _password(passphrase: Secret[str], network: KeyNetwork) -> bytes:
    # The mark is part of the password: who edits the file's mark can no longer open it.
    return f"{_FORMAT}\n{network}\n{passphrase.use()}".encode()


def _parsed(path: Path) -> tuple[KeyNetwork, list[dict[str, Any]]]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise Rejected("keystore.missing", f"there is no keystore at {path}") from error
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise _malformed(path) from error
    try:
        return KeyNetwork(content["network"]), list(content["sealed"])
    except (KeyError, TypeError, ValueError) as error:
        raise _malformed(path) from error


def _malformed(path: Path) -> Rejected:
    return Rejected("keystore.malformed", f"{path} is not a keystore of format {_FORMAT}")


def _write_new(path: Path, text: str) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise Rejected(
            "keystore.exists", f"{path} exists and is not overwritten: it may guard open deals"
        ) from error
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _keyfile() -> ModuleType:
    """eth-keyfile, imported when a keystore is opened: its pairings cost 0.3 s at start."""
    from eth_keyfile import keyfile  # noqa: PLC0415 - see above

    return keyfile
