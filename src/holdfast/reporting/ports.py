"""What reports need of other features, as small ports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from array import array
    from collections.abc import AsyncIterator, Mapping
    from datetime import datetime

    from holdfast.common.db import Session
    from holdfast.common.ids import ChainId
    from holdfast.risk.book import OpenBook


class Look(Protocol):
    """What the monitor saw of all open deals of a chain at one moment.

    `market` has the venue's `threshold_bps`, if it was written then. `deals` has a column for each
    figure, all of one length: `number` the deal's, `ltv_bps`, and `cover_bps`, the debt cover times
    10,000; 2**32 - 1 stands for whatever is larger, such as the cover of a deal without debt.
    """

    @property
    def chain_id(self) -> ChainId: ...  # noqa: D102 - the class says it

    @property
    def taken_at(self) -> datetime: ...  # noqa: D102

    @property
    def market(self) -> Mapping[str, int | bool | None]: ...  # noqa: D102

    @property
    def deals(self) -> Mapping[str, array[int]]: ...  # noqa: D102


class RiskHistory(Protocol):
    """The monitor's looks, of which one in five minutes is kept for more than a year."""

    async def marks(self, session: Session, since: datetime, until: datetime) -> int:
        """How many rows of deals the kept looks of that time have."""
        ...

    def sampled(
        self, session: Session, since: datetime, until: datetime, *, seconds: int
    ) -> AsyncIterator[Look]:
        """Of the kept looks the first in each stretch of `seconds`, by chain, then oldest first."""
        ...


class StressedBook(Protocol):
    """The open deals as stress sees them."""

    async def read(self) -> OpenBook:
        """All of them, with the pool that they would sell in, at the newest block.

        Raises:
            Transient: the database or the chain does not answer.
        """
        ...
