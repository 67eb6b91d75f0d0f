"""Whether every open deal could come home now: tried all the time, told when it first fails.

A round works off what is due for about a second of every six, some deals at a time, and leaves the
rest to the next rounds: neither the worker's other loops nor the node are kept busy by it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import structlog

from holdfast.common.errors import Broken, HoldfastError, Transient
from holdfast.monitoring.exit_alerts import FAILING, failing, late, late_no_more
from holdfast.monitoring.exit_metrics import ExitMetrics
from holdfast.monitoring.exit_rota import Rota

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from holdfast.common.alerts import Alarm, Alert
    from holdfast.common.clock import Clock, Sleeper
    from holdfast.common.db import Database
    from holdfast.common.ids import ChainId, DealId
    from holdfast.execution.exits import ExitCheck
    from holdfast.execution.records import DealRecord
    from holdfast.monitoring.exit_ports import Covers, OpenDeals, StandingAlerts, Unwinds
    from holdfast.monitoring.ports import Heads, Leadership
    from holdfast.monitoring.tick_ports import Fence

PAUSE_SECONDS: Final = 5.0
"""Between two rounds, at least."""

ROUND_SECONDS: Final = 1.0
"""After which a round begins no further trial."""

PAUSE_SHARE: Final = 4.0
"""How many times as long as a round took the pause is: on a slow node too, the rest is for the
monitor's ticks and for deals."""

AT_ONCE: Final = 8
"""Deals tried together: their questions share exchanges. More gain little and hold up others."""

_log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ExitParts:
    """What the checks of one chain need."""

    chain_id: ChainId
    db: Database
    deals: OpenDeals
    covers: Covers
    heads: Heads
    exits: Unwinds
    alarm: Alarm
    standing: StandingAlerts
    fence: Fence
    clock: Clock
    sleeper: Sleeper
    every_blocks: int
    metrics: ExitMetrics = field(default_factory=ExitMetrics.unread)


@dataclass(frozen=True, slots=True)
class ExitChecks:
    """Runs while it leads."""

    parts: ExitParts
    leadership: Leadership

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
        parts, checking = self.parts, Checking(self.parts)
        try:
            while True:
                start = parts.clock.monotonic_seconds()
                try:
                    await checking.round()
                except Transient as error:
                    _log.warning("exits.retry", **error.as_dict())
                took = parts.clock.monotonic_seconds() - start
                await parts.sleeper.sleep(max(PAUSE_SECONDS, PAUSE_SHARE * took))
        finally:
            parts.metrics.stopped(parts.chain_id)


class Checking:
    """The checks under one lead."""

    def __init__(self, parts: ExitParts) -> None:
        self._parts = parts
        self._rota = Rota(parts.every_blocks)
        self._is_first = True
        self._is_late: bool | None = None
        self._trouble = "there are more open deals than can be tried in time"
        self._refused: list[tuple[DealId, HoldfastError]] = []

    async def round(self) -> None:
        """Try deals that are due, for as long as a round may take.

        Raises:
            Transient: when chain or database did not answer; what was checked stays checked.
        """
        head = (await self._parts.heads.head()).ref.number
        due = await self._due(head)
        self._refused.clear()
        try:
            await self._work_off(due, head)
        except Transient as error:
            self._trouble = error.message
            await self._tell_age(head)
            raise
        finally:
            self._tell_refused()
        await self._tell_age(head)

    def _tell_refused(self) -> None:
        """Once a round: while nodes are away it would be said of every deal."""
        if self._refused:
            first, error = self._refused[0]
            count = len(self._refused)
            _log.warning("exits.not_checked", deals=count, first=str(first), **error.as_dict())

    async def _due(self, head: int) -> list[DealId]:
        parts = self._parts
        async with parts.db.begin() as session:
            numbers = await parts.deals.open_ids(session, parts.chain_id)
            cover = await parts.covers.covers(session, parts.chain_id)
            over = self._rota.follow(numbers, head)
            if self._is_first:  # also those that ended while nobody led
                told = await parts.standing.standing(session, parts.chain_id, FAILING)
                over |= set(told) - set(numbers)
            if over:
                await parts.fence.fence(session)
                await parts.standing.settle(session, FAILING, over)
        self._is_first = False
        of_deal = {deal: cover[number] for deal, number in numbers.items() if number in cover}
        return self._rota.due(head, of_deal)

    async def _work_off(self, due: Sequence[DealId], head: int) -> None:
        clock = self._parts.clock
        until = clock.monotonic_seconds() + ROUND_SECONDS
        for start in range(0, len(due), AT_ONCE):
            if start and clock.monotonic_seconds() >= until:
                return
            await self._try(due[start : start + AT_ONCE], head)

    async def _try(self, wanted: Sequence[DealId], head: int) -> None:
        parts = self._parts
        self._rota.attempted(wanted, head)
        deals = await self._loaded(wanted)
        answers = await parts.exits.checks(deals)
        known = [
            (deal, one)
            for deal, one in zip(deals, answers, strict=True)
            if not isinstance(one, HoldfastError) and one.works is not None
        ]
        self._note(deals, answers)
        await self._write(known)
        self._rota.checked([deal.deal_id for deal, _ in known], head)

    async def _loaded(self, wanted: Sequence[DealId]) -> list[DealRecord]:
        """Those that can be read; one that cannot keeps no other from being tried.

        The monitor tells of it by itself, and its age as that of any deal that was not tried.
        """
        parts = self._parts
        try:
            async with parts.db.begin() as session:
                return list(await parts.deals.load_all(session, wanted))
        except Broken as error:
            if len(wanted) > 1:
                return [deal for one in wanted for deal in await self._loaded([one])]
            self._trouble = error.message
            _log.warning("exits.unreadable", deal=str(wanted[0]), **error.as_dict())
            return []

    def _note(
        self, deals: Sequence[DealRecord], answers: Sequence[ExitCheck | HoldfastError]
    ) -> None:
        """What could not be told, in the log, and as the reason if it lasts too long."""
        works = fails = 0
        for deal, one in zip(deals, answers, strict=True):
            if isinstance(one, HoldfastError):  # it ended meanwhile, or the node had trouble
                self._trouble = one.message
                self._refused.append((deal.deal_id, one))
            elif one.works is None:
                self._trouble = "the node does not simulate (eth_simulateV1)"
                _log.warning("exits.unknown", deal=str(deal.deal_id), reason=self._trouble)
            else:
                works, fails = works + one.works, fails + (not one.works)
        unknown = len(answers) - works - fails
        self._parts.metrics.tried(self._parts.chain_id, works=works, fails=fails, unknown=unknown)

    async def _write(self, known: Sequence[tuple[DealRecord, ExitCheck]]) -> None:
        """Tell of what fails, unless somebody acknowledged that it does; end what works again."""
        parts = self._parts
        async with parts.db.begin() as session:
            await parts.fence.fence(session)
            told = await parts.standing.standing(
                session, parts.chain_id, FAILING, [deal.deal_id for deal, _ in known]
            )
            well = [deal.deal_id for deal, one in known if one.works and deal.deal_id in told]
            await parts.standing.settle(session, FAILING, well)
            await parts.alarm.raised(session, *_news(known, told))

    async def _tell_age(self, head: int) -> None:
        parts, rota = self._parts, self._rota
        age, is_late = rota.age_blocks(head), rota.is_late(head)
        parts.metrics.stands(parts.chain_id, age_blocks=age, due=len(rota.due(head, {})))
        if is_late is None or is_late is self._is_late:
            return
        async with parts.db.begin() as session:
            if is_late:
                alert = late(parts.chain_id, age, parts.every_blocks, self._trouble)
                await parts.alarm.raised(session, alert)
            else:
                await parts.alarm.ended(session, late_no_more(parts.chain_id))
        self._is_late = is_late


def _news(
    known: Sequence[tuple[DealRecord, ExitCheck]], told: Mapping[DealId, bool]
) -> list[Alert]:
    """The alerts for what fails; one that was acknowledged is not raised anew while it lasts."""
    return [
        failing(deal, one) for deal, one in known if not one.works and told.get(deal.deal_id, True)
    ]
