"""Wakes the deals that a trading state held up, in the transaction that lifts it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from holdfast.execution.store.waiting import open_within, waiting_to_trade

if TYPE_CHECKING:
    from holdfast.common.db import Session
    from holdfast.execution.ports import Wakes
    from holdfast.risk.trading import Scope

AT_ONCE: Final = 1_000
"""Deals woken in one transaction, while nobody else may record legs; what is left of a larger book
looks by itself within `HOLDFAST_HOLDING_CHECK_SECONDS`."""


@dataclass(frozen=True, slots=True)
class TradingWaits:
    """The deals that wait for trading (`risk.ports.Waiting`)."""

    wakes: Wakes

    async def wake(self, session: Session, scope: Scope) -> None:
        """Wake those within `scope` when the transaction of `session` commits."""
        await self.wakes.wake(session, *await waiting_to_trade(session, scope, AT_ONCE))

    async def within(self, session: Session, scope: Scope) -> int:
        """How many open deals a state of `scope` is about."""
        return await open_within(session, scope)
