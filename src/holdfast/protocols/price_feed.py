"""A Chainlink-shaped price feed: its answer and how old it is.

Source: Chainlink AggregatorV3Interface, latestRoundData.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from holdfast.chain import abi
from holdfast.chain.abi import selector
from holdfast.chain.multicall import Read

if TYPE_CHECKING:
    from holdfast.common.evm import Address

_LATEST_ROUND: Final = selector("latestRoundData()")


@dataclass(frozen=True, slots=True)
class FeedAnswer:
    """What a feed says: `answer` in its own decimals (8 for dollars), `updated_at` in seconds."""

    answer: int
    updated_at: int


@dataclass(frozen=True, slots=True)
class PriceFeed:
    """The feed at `address`."""

    address: Address

    def latest(self) -> Read[FeedAnswer]:
        """The feed's newest answer."""
        return Read(self.address, _LATEST_ROUND, _feed_answer)


def _feed_answer(data: bytes) -> FeedAnswer:
    return FeedAnswer(answer=abi.sint(data, 1), updated_at=abi.uint(data, 3))
