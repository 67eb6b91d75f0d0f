"""Measures recovery from outside: when the deals that a kill found under way move again.

A deal moves when its row has a new version: every change of a deal writes one.
"""

import asyncio
import contextlib
import time
from dataclasses import dataclass, field

import psycopg

_LOOK_SECONDS = 0.1
_QUERY = "SELECT deal_id::text, version, status FROM deals"
UNDER_WAY = frozenset({"approved", "executing", "closing", "holding"})
OVER = frozenset({"completed", "completed_with_claim", "failed", "cancelled", "rejected"})


@dataclass
class Watch:
    """The deals as last seen, and the kills whose deals have not all moved yet."""

    libpq_url: str
    deals: dict[str, tuple[int, str]] = field(default_factory=dict)
    recoveries: list[float] = field(default_factory=list)
    moved_at: float = 0.0
    _open: list[tuple[float, dict[str, int]]] = field(default_factory=list)

    def killed(self):
        """Something was killed just now."""
        found = {
            deal: version for deal, (version, status) in self.deals.items() if status in UNDER_WAY
        }
        if found:
            self._open.append((time.monotonic(), found))

    @property
    def under_way(self):
        return sum(status in UNDER_WAY for _, status in self.deals.values())

    @property
    def over(self):
        return sum(status in OVER for _, status in self.deals.values())

    @property
    def unrecovered(self):
        """Kills after which some deal has not moved to this moment."""
        return len(self._open)

    async def run(self):
        """Look until cancelled; a database that is away is asked again."""
        while True:
            with contextlib.suppress(psycopg.OperationalError):
                async with await psycopg.AsyncConnection.connect(
                    self.libpq_url, autocommit=True
                ) as connection:
                    while True:
                        cursor = await connection.execute(_QUERY)
                        self._seen({row[0]: (row[1], row[2]) for row in await cursor.fetchall()})
                        await asyncio.sleep(_LOOK_SECONDS)
            await asyncio.sleep(_LOOK_SECONDS)

    def _seen(self, deals):
        now = time.monotonic()
        if _standing(deals) != _standing(self.deals):
            self.moved_at = now
        self.deals = deals
        for kill in list(self._open):
            since, found = kill
            for deal in [one for one, version in found.items() if deals[one][0] > version]:
                del found[deal]
            if not found:
                self._open.remove(kill)
                self.recoveries.append(now - since)


def _standing(deals):
    """The deals without the looks of those that hold, which go on for ever."""
    return {
        deal: (status != "holding" and version, status) for deal, (version, status) in deals.items()
    }
