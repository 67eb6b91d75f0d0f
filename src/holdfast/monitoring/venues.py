"""The contracts whose events concern us, with the lending market's own tokens read from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from holdfast.monitoring.decoding import Contracts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.chain.multicall import Read
    from holdfast.common.evm import BlockRef
    from holdfast.protocols.aave_v3.reserve import Reserve
    from holdfast.protocols.suite import Protocols


class Reads(Protocol):
    """Reads of contracts at one block."""

    async def read(self, reads: Sequence[Read[Any]], at: BlockRef) -> list[Any]:
        """The answers, in order; `Transient` when the chain does not answer."""
        ...


@dataclass(frozen=True, slots=True)
class Venues:
    """The tokens, the lending market and the redemption desk of one chain."""

    reads: Reads
    protocols: Protocols

    async def contracts(self, at: BlockRef) -> Contracts:
        """All of them as they are at block `at`."""
        suite = self.protocols
        lent = [suite.weth.address, suite.usdt.address]
        reserves: list[Reserve] = await self.reads.read(
            [suite.aave.reserve(token) for token in lent], at
        )
        debts = frozenset(each.variable_debt_token for each in reserves)
        owned = [each.a_token for each in reserves]
        places = [*lent, suite.usdtz.address, suite.aave.address, suite.desk.address]
        return Contracts((*places, *owned, *sorted(debts)), debts)
