"""What the kill switch needs of a store, and of the deals that it holds up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from holdfast.common.db import Session
    from holdfast.risk.trading import Scope, Setting


class StateBook(Protocol):
    """The trading states that are set."""

    async def hold(self, session: Session) -> None:
        """Have no state change until the transaction ends; others may hold it at once."""
        ...

    async def take(self, session: Session) -> None:
        """Wait for whoever holds the states, and have nobody else hold or change them."""
        ...

    async def settings(
        self, session: Session, scopes: Sequence[Scope] | None = None
    ) -> list[Setting]:
        """What is set for `scopes`, or all there is, by scope."""
        ...

    async def put(self, session: Session, setting: Setting) -> None:
        """Write a setting over the one that its source had for its scope."""
        ...

    async def note_seen(self, session: Session, setting: Setting, now: datetime) -> None:
        """The cause of `setting` is still there; no state changes."""
        ...


class Waiting(Protocol):
    """The deals that a trading state holds up."""

    async def wake(self, session: Session, scope: Scope) -> None:
        """Wake those within `scope` when the transaction of `session` commits."""
        ...

    async def within(self, session: Session, scope: Scope) -> int:
        """How many open deals a state of `scope` is about."""
        ...
