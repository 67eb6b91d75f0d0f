"""What can go wrong between a decision and its record."""

from __future__ import annotations

from holdfast.common.errors import Rejected


class DealNotFound(Rejected):
    """There is no such deal; `deal list` shows those there are."""

    def __init__(self, deal: object) -> None:
        super().__init__("deal.not_found", f"there is no deal {deal}: see `holdfast deal list`")


class MoveRefused(Rejected):
    """A move would not go through now: nothing was signed."""
