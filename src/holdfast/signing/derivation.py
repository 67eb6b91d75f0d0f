"""Child keys of one seed: hardened down to the deal, so that a leaked deal key stays alone."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Final

from coincurve import PrivateKey

from holdfast.common.errors import Rejected

_HARDENED: Final = 0x8000_0000
_PURPOSE: Final = 44 + _HARDENED  # BIP-44
_ETHER: Final = 60 + _HARDENED  # SLIP-44


@dataclass(frozen=True, slots=True)
class Node:
    """One extended private key of BIP-32."""

    secret: bytes = field(repr=False)
    chain_code: bytes = field(repr=False)


def account_root(seed: bytes) -> Node:
    """The node m/44'/60' of `seed`, under which every deal has its own hardened child.

    Source: BIP-32 master key generation; BIP-44.
    """
    digest = hmac.digest(b"Bitcoin seed", seed, hashlib.sha512)
    return _child(_child(Node(digest[:32], digest[32:]), _PURPOSE), _ETHER)


def deal_key(root: Node, index: int) -> PrivateKey:
    """The key m/44'/60'/index'/0/0, where `root` is m/44'/60'.

    Raises:
        Rejected: `signing.index` when `index` is negative or 2^31 or more.
    """
    if not 0 <= index < _HARDENED:
        raise Rejected("signing.index", f"{index} is no key index: it is from 0 to 2^31 - 1")
    node = _child(_child(_child(root, index + _HARDENED), 0), 0)
    return PrivateKey(node.secret)


def _child(parent: Node, index: int) -> Node:
    """CKDpriv. Source: BIP-32, private parent key to private child key."""
    key = PrivateKey(parent.secret)
    head = b"\x00" + parent.secret if index >= _HARDENED else key.public_key.format()
    digest = hmac.digest(parent.chain_code, head + index.to_bytes(4), hashlib.sha512)
    return Node(key.add(digest[:32]).secret, digest[32:])
