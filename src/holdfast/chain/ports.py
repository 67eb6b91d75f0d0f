"""What the chain's watch needs of others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from holdfast.common.alerts import Alert


class Herald(Protocol):
    """Hands alerts on."""

    async def tell(self, *alerts: Alert) -> None:
        """Have people told; raises `Transient` when that has to be tried again."""
        ...
