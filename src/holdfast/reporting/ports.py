"""What reports need of other features, as small ports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from holdfast.risk.book import OpenBook


class StressedBook(Protocol):
    """The open deals as stress sees them."""

    async def read(self) -> OpenBook:
        """All of them, with the pool that they would sell in, at the newest block.

        Raises:
            Transient: the database or the chain does not answer.
        """
        ...
