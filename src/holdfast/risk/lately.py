"""Depth and utilisation as they lasted: what one block or one loan can bring about says nothing."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from holdfast.common.money import USD8, Bps, Usd8

if TYPE_CHECKING:
    from holdfast.risk.market import RiskMarket

LASTING_SECONDS: Final = 60
"""Five blocks of twelve seconds: whoever borrows a reserve empty, or takes a pool's liquidity away,
for so long stands in the market with the money and pays for it."""

USUAL_DEPTH: Final = Usd8(2_000_000 * USD8)
USUAL_UTILISATION: Final = Bps(8_000)


@dataclass(frozen=True, slots=True)
class Lasting:
    """What moves the shallower pool by one percent, and how much of the fuller reserve is lent."""

    depth: Usd8 = USUAL_DEPTH
    utilisation: Bps = USUAL_UTILISATION

    @classmethod
    def at(cls, market: RiskMarket) -> Lasting:
        """As one reading has them."""
        return cls(
            min(market.eth_pool.depth, market.token_pool.depth),
            Bps(max(market.collateral.utilisation, market.loan.utilisation)),
        )


class Lately:
    """The readings of the last `LASTING_SECONDS` by the chain's clock, of one reader."""

    def __init__(self) -> None:
        self._seen: deque[tuple[int, Lasting]] = deque()

    def take(self, market: RiskMarket) -> Lasting:
        """The best of those readings, this one in it: as bad as that it was all the time.

        As usual while they do not reach back so far: nobody has seen yet that it lasts.
        """
        seen, now = self._seen, market.at.timestamp
        seen.append((now, Lasting.at(market)))
        while len(seen) > 1 and seen[1][0] <= now - LASTING_SECONDS:
            seen.popleft()
        if seen[0][0] > now - LASTING_SECONDS:
            return Lasting()
        return Lasting(
            Usd8(max(one.depth for _, one in seen)),
            Bps(min(one.utilisation for _, one in seen)),
        )
