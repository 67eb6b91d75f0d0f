"""How a stored word is read: strictly to act on it, or as it stands to show it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable

W = TypeVar("W")


class Reader(Protocol):
    """Reads a stored word as one of a kind."""

    def __call__(self, kind: Callable[[Any], W], word: str | int) -> W:
        """The word, or a ValueError where it must be known."""
        ...


def known(kind: Callable[[Any], W], word: str | int) -> W:
    """As one of `kind`; ValueError for a word that this version does not know."""
    return kind(word)


def shown(kind: Callable[[Any], W], word: str | int) -> W:
    """As one of `kind` if it is; else, written by a later version, as it stands: only to show."""
    try:
        return kind(word)
    except ValueError:
        return cast("W", word)
