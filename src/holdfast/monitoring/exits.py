"""Whether every open deal could come home now: tried every so many blocks, told when it fails."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import structlog

from holdfast.common.alerts import Alert, Ended, Severity
from holdfast.common.errors import Rejected, Transient
from holdfast.execution.alerts import about

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from holdfast.common.alerts import Alarm
    from holdfast.common.clock import Sleeper
    from holdfast.common.db import Database
    from holdfast.common.ids import ChainId, DealId
    from holdfast.execution.exits import ExitCheck
    from holdfast.execution.records import DealRecord
    from holdfast.monitoring.ports import Heads, Leadership, OpenDeals, Unwinds

FAILING: Final = "exit.failing"

PAUSE_SECONDS: Final = 5.0
"""Between two looks whether checks are due: a check costs a node some twenty simulations."""

_log = structlog.stdlib.get_logger(__name__)


def due(
    checked: Mapping[DealId, int], open_deals: Collection[DealId], head: int, every_blocks: int
) -> list[DealId]:
    """The open deals whose last check is `every_blocks` old or older, the longest ago first.

    `checked` has the block of each deal's last check. One above `head` was reorged away: it counts
    for nothing.
    """
    ages = {deal: head - checked[deal] for deal in open_deals if deal in checked}
    found = [deal for deal, age in ages.items() if age >= every_blocks or age < 0]
    return sorted(found, key=lambda deal: checked[deal])


@dataclass(frozen=True, slots=True)
class ExitParts:
    """What the checks of one chain need."""

    chain_id: ChainId
    db: Database
    deals: OpenDeals
    heads: Heads
    exits: Unwinds
    alarm: Alarm
    sleeper: Sleeper
    every_blocks: int


@dataclass(slots=True)
class ExitChecks:
    """Runs while it leads; what was checked when is kept in memory, and forgotten without harm."""

    parts: ExitParts
    leadership: Leadership
    checked: dict[DealId, int] = field(default_factory=dict["DealId", int])

    @property
    def exits(self) -> Unwinds:
        """What tries one deal, at whoever's wish."""
        return self.parts.exits

    async def run(self) -> None:
        """Lead, and check until cancelled.

        Raises:
            Transient: `leader.lost`; another process may lead by now: end or start again.
        """
        await self.leadership.lead(self.work)

    async def work(self) -> None:
        """Check, without asking for the lead: what `run` does once it leads."""
        while True:
            try:
                await self.round()
            except Transient as error:
                _log.warning("exits.retry", **error.as_dict())
            await self.parts.sleeper.sleep(PAUSE_SECONDS)

    async def round(self) -> None:
        """Check every deal that is due; one seen for the first time is due a period later.

        Raises:
            Transient: when chain or database did not answer; what was checked stays checked.
        """
        head = (await self.parts.heads.head()).ref.number
        async with self.parts.db.begin() as session:
            found = await self.parts.deals.open_versions(session, self.parts.chain_id)
        await self._forget(set(self.checked) - set(found))
        for deal_id in due(self.checked, found, head, self.parts.every_blocks):
            await self._check(deal_id)
            self.checked[deal_id] = head
        for deal_id in found:
            self.checked.setdefault(deal_id, head)

    async def _forget(self, over: Collection[DealId]) -> None:
        """Deals that are over: nothing is left that could fail to come home."""
        for deal_id in over:
            del self.checked[deal_id]
        if over:
            async with self.parts.db.begin() as session:
                await self.parts.alarm.ended(session, *map(_ended, over))

    async def _check(self, deal_id: DealId) -> None:
        async with self.parts.db.begin() as session:
            deal = await self.parts.deals.load(session, deal_id)
        try:
            check = await self.parts.exits.check(deal)
        except Rejected as error:  # it ended meanwhile, or a read reverts that never should
            _log.warning("exits.not_checked", deal=str(deal_id), **error.as_dict())
            return
        if check.works is None:
            _log.warning("exits.unknown", deal=str(deal_id), reason="the node does not simulate")
            return
        async with self.parts.db.begin() as session:
            if check.works:
                await self.parts.alarm.ended(session, _ended(deal_id))
            else:
                await self.parts.alarm.raised(session, failing(deal, check))


def failing(deal: DealRecord, check: ExitCheck) -> Alert:
    """The alert for a deal that could not come home now."""
    failed = check.failing
    if failed is None:
        why = (
            "gas costs more than its plan allows even an exit"
            if check.before.gas_stops_all
            else "it stalls"
        )
    else:
        why = f"{failed.leg} would fail: {failed.reason}"
    return about(
        deal,
        FAILING,
        Severity.CRITICAL,
        text=f"the deal could not be unwound now: {why}. `holdfast risk exits --deal` shows how "
        "far it would come",
        fields={
            "leg": None if failed is None else str(failed.leg),
            "reason": why,
            "block": check.before.head.ref.number,
            "left": check.after.position.told,
        },
    )


def _ended(deal_id: DealId) -> Ended:
    return Ended(FAILING, str(deal_id))
