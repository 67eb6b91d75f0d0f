"""What can go wrong between a decision and its record."""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.common.errors import Rejected, Transient

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.model.leg import LegKind


class DealNotFound(Rejected):
    """There is no such deal; `deal list` shows those there are."""

    def __init__(self, deal: object) -> None:
        super().__init__("deal.not_found", f"there is no deal {deal}: see `holdfast deal list`")


class MoveRefused(Rejected):
    """A leg of the next move would fail now: nothing was signed."""

    def __init__(self, kind: LegKind, reason: str, *, code: str = "leg.would_fail") -> None:
        super().__init__(code, f"{kind}: {reason}", leg=str(kind), reason=reason)
        self.kind = kind


class TradingChanged(Transient):
    """The trading state changed after it was looked at: nothing was done, look again."""

    def __init__(self, state: str) -> None:
        super().__init__("desk.changed", f"trading became {state} meanwhile: nothing was sent")


class CoreShort(Rejected):
    """The core address cannot carry this deal beside the others: nothing was done."""


class Differs(Transient):
    """The chain shows other than the books say: nothing was written, look for the deal's blocks."""

    def __init__(self) -> None:
        super().__init__("deal.differs", "the chain shows other than what is recorded: look again")


class Unexplained(Rejected):
    """The chain shows less than the books say, and nobody knows of it: nothing was written."""

    def __init__(self, lines: Sequence[str]) -> None:
        super().__init__(
            "deal.unexplained",
            f"the chain shows less than what is recorded: {'; '.join(lines)}",
            lines=list(lines),
        )
        self.lines = tuple(lines)
