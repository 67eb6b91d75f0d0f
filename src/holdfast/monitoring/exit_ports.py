"""What the checks of unwinds need: open deals, what is known of their risk, and what was told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from holdfast.common.db import Session
    from holdfast.common.errors import HoldfastError
    from holdfast.common.ids import ChainId, DealId
    from holdfast.execution.exits import ExitCheck
    from holdfast.execution.records import DealRecord


class OpenDeals(Protocol):
    """The deals that may hold a position, read in the caller's transaction."""

    async def open_ids(self, session: Session, chain_id: ChainId) -> Mapping[DealId, int]:
        """Those of a chain, each with its number."""
        ...

    async def load_all(self, session: Session, wanted: Sequence[DealId]) -> Sequence[DealRecord]:
        """These deals in their order, with plans and legs."""
        ...


class Covers(Protocol):
    """What the monitor saw last."""

    async def covers(self, session: Session, chain_id: ChainId) -> Mapping[int, int]:
        """The debt cover of deals by their numbers, times 10,000; empty when nothing is known."""
        ...


class Unwinds(Protocol):
    """Tries how deals would come home."""

    async def check(self, deal: DealRecord) -> ExitCheck:
        """What unwinding the deal now would do.

        Raises:
            Rejected: when it holds no position.
            Transient: when the chain does not answer.
        """
        ...

    async def checks(self, deals: Sequence[DealRecord]) -> Sequence[ExitCheck | HoldfastError]:
        """The same for each, in their order; an error where `check` would raise it.

        Raises:
            Transient: when the chain does not answer at all.
        """
        ...


class StandingAlerts(Protocol):
    """The alerts about deals whose cause was not seen to end, whoever raised them."""

    async def standing(
        self,
        session: Session,
        chain_id: ChainId,
        code: str,
        deals: Collection[DealId] | None = None,
    ) -> Mapping[DealId, bool]:
        """The deals that have one; False where it was acknowledged. Of all deals, or of these."""
        ...

    async def settle(self, session: Session, code: str, deals: Collection[DealId]) -> None:
        """Their cause is seen to be over, of those too that were acknowledged."""
        ...
