"""Takes secrets out of text before it leaves the process."""

from __future__ import annotations

import base64
import json
import re
from functools import lru_cache
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from holdfast.common.secret import Secret

MASK = "***"

# A shorter value would mask ordinary words, and is no secret to anybody who can count.
_SHORTEST = 8

_SECRET_NAME = re.compile(
    r"pass(word|phrase|wd)|secret|mnemonic|(^|_)seed|priv(ate)?_?key|api_?key|authorization|cookie"
    r"|credential|bearer|(access|auth|refresh|session)_?token|^raw(_|$)|signed_(bytes|tx)|raw_tx",
    re.IGNORECASE,
)

# Signed transactions and other long binary: a hash has 64 digits and a public key 128.
_LONG_HEX = re.compile(r"(?:0x)?([0-9a-fA-F]{200,})")

_URL = re.compile(r"\b([a-z][a-z0-9+.-]*://)([^\s\"'<>\\]+)", re.IGNORECASE)
_URL_ACCESS = re.compile(r"^[^/?#@]*@")
# Node providers put the key into the path or the query: https://eth.example/v3/0123456789abcdef
_URL_KEY_IN_PATH = re.compile(r"/[A-Za-z0-9_-]{16,}(?=[/?#]|$)")
_URL_QUERY = re.compile(r"\?[^#]*")
_WEB = ("http://", "https://", "ws://", "wss://")


class Redactor:
    """Masks registered values, long binary and what URLs carry to prove who we are."""

    def __init__(self) -> None:
        self._values: set[str] = set()
        self._pattern: re.Pattern[str] | None = None

    def register(self, value: Secret[str] | Secret[bytes]) -> None:
        """Mask `value` from now on, in every form that text is likely to show it in."""
        plain = value.use()
        forms = _bytes_forms(plain) if isinstance(plain, bytes) else _text_forms(plain)
        self._values |= {form for form in forms if len(form) >= _SHORTEST}
        longest_first = sorted(self._values, key=len, reverse=True)
        if longest_first:
            self._pattern = re.compile("|".join(map(re.escape, longest_first)), re.IGNORECASE)

    def text(self, text: str) -> str:
        """`text` without secrets."""
        if self._pattern is not None:
            text = self._pattern.sub(MASK, text)
        text = _LONG_HEX.sub(_shortened, text)
        return _URL.sub(_without_access, text) if "://" in text else text

    def fields(self, fields: Mapping[str, object]) -> dict[str, object]:
        """`fields` with the values of secret-looking names masked, at every depth."""
        return {name: self._field(name, value) for name, value in fields.items()}

    def _field(self, name: str, value: object) -> object:
        if value is not None and _is_secret(name):
            return MASK
        if isinstance(value, bytes | bytearray):
            return f"{len(value)} bytes"
        if isinstance(value, dict):
            inner = cast("dict[object, object]", value)
            return self.fields({str(key): each for key, each in inner.items()})
        if isinstance(value, list | tuple):
            return [self._field("", each) for each in cast("Sequence[object]", value)]
        return value


@lru_cache(maxsize=1_024)  # events have some dozens of field names between them
def _is_secret(name: str) -> bool:
    return _SECRET_NAME.search(name) is not None


def _text_forms(plain: str) -> Iterable[str]:
    yield plain
    yield repr(plain)[1:-1]
    for ascii_only in (True, False):
        yield json.dumps(plain, ensure_ascii=ascii_only)[1:-1]
    yield from _bytes_forms(plain.encode())


def _bytes_forms(plain: bytes) -> Iterable[str]:
    yield plain.hex()
    yield base64.b64encode(plain).decode().rstrip("=")
    yield repr(plain)[2:-1]
    yield str(int.from_bytes(plain, "big"))


def _shortened(match: re.Match[str]) -> str:
    digits = match.group(1)
    return f"0x{digits[:8]}...({len(digits) // 2} bytes)"


def _without_access(match: re.Match[str]) -> str:
    scheme, rest = match.groups()
    rest = _URL_ACCESS.sub(f"{MASK}@", rest)
    if scheme.lower() in _WEB:
        rest = _URL_QUERY.sub(f"?{MASK}", rest)
        rest = _URL_KEY_IN_PATH.sub(f"/{MASK}", rest)
    return scheme + rest
