"""What planning needs from the chain, from experience and from the desk's open book."""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias

from holdfast.common.evm import Address
from holdfast.common.money import Token
from holdfast.model.deal import DealRequest
from holdfast.model.plan import Accounts
from holdfast.planning.snapshot import Gas, MarketSnapshot, Prices, Probe, Tokens
from holdfast.risk.caps import BookSums
from holdfast.risk.gate import Trial
from holdfast.risk.scenarios import Exposed
from holdfast.risk.tightening import InForce

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


class TrackRecord(Protocol):
    """What redemption desks did before."""

    async def trials(self, desk: Address, token: Token) -> Sequence[Trial]:
        """What the redemption desk at `desk` was asked to pay for `token`, and whether it did."""
        ...


class Untried:
    """The record of desks that nobody has used yet."""

    async def trials(self, desk: Address, token: Token) -> Sequence[Trial]:
        """Nothing."""
        del desk, token
        return ()


class OpenDeals(Protocol):
    """The deals that are open beside the one that is planned."""

    async def exposed(self) -> Sequence[Exposed]:
        """Each of them as scenarios see it, all at one block.

        One that has not bought yet counts as if it had.

        Raises:
            Transient: the node or the database does not answer.
        """
        ...


class NoOpenDeals:
    """An empty book, where deals are planned for themselves."""

    async def exposed(self) -> Sequence[Exposed]:
        """None."""
        return ()


class Standing(Protocol):
    """The limits in force and what is open."""

    async def in_force(self) -> InForce:
        """The limits that a deal planned now is held to, and what tightens them."""
        ...

    async def sums(self, request: DealRequest) -> BookSums:
        """What is open beside the deal that is asked for."""
        ...
