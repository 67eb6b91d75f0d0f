"""Secrets in memory: never shown, never copied, read in one place."""

from __future__ import annotations

from typing import Generic, NoReturn, TypeVar

from typing_extensions import override

T = TypeVar("T", str, bytes)


class Secret(Generic[T]):
    """A value that does not appear in text, logs or pickles; `use` is the only way to it."""

    __slots__ = ("_value",)

    def __init__(self, value: T) -> None:
        self._value: T = value

    def use(self) -> T:
        """The value itself, for the one call that needs it."""
        return self._value

    @override
    def __repr__(self) -> str:
        return "Secret(***)"

    @override
    def __str__(self) -> str:
        return "***"

    @override
    def __format__(self, spec: str) -> str:
        return "***"

    @override
    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a secret is never pickled or copied")
