"""What planning needs from the chain."""

from collections.abc import Callable
from typing import Protocol, TypeAlias

from holdfast.model.plan import Accounts
from holdfast.planning.snapshot import Gas, MarketSnapshot, Prices, Probe, Tokens

Sizes: TypeAlias = Callable[[Tokens, Prices, Gas], Probe]
"""Says how much to quote, given the prices of the same block."""


class MarketSource(Protocol):
    """The market at one block."""

    async def read(self, accounts: Accounts, sizes: Sizes) -> MarketSnapshot:
        """Everything a plan needs, at one block.

        Raises:
            Transient: the node does not answer, or the block is gone.
            Rejected: the chain lacks a contract, or the lending pool's revision is unknown.
        """
        ...
