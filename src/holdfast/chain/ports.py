"""What the chain's watch needs of others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from holdfast.common.clock import Clock, Sleeper

if TYPE_CHECKING:
    from holdfast.common.alerts import Alert


class PatientClock(Clock, Sleeper, Protocol):
    """Tells the time and waits."""


class Herald(Protocol):
    """Hands alerts on."""

    async def tell(self, *alerts: Alert) -> None:
        """Have people told; raises `Transient` when that has to be tried again."""
        ...
