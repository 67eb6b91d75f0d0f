"""Keeps each chain's dynamic limits: takes readings in, tells of changes, says what is in force."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from holdfast.common.alerts import Alert, Ended, Severity
from holdfast.common.errors import Rejected
from holdfast.common.money import BPS, Bps
from holdfast.risk.dynamic import Cause, LimitState, next_state
from holdfast.risk.lately import Lately
from holdfast.risk.market import changes, settings
from holdfast.risk.store import limits as store
from holdfast.risk.store.limits import Kept, ScaleChange
from holdfast.risk.tightening import InForce

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from holdfast.common.alerts import Alarm
    from holdfast.common.db import Session
    from holdfast.common.ids import ChainId
    from holdfast.common.money import Usd8
    from holdfast.risk.limits import RiskLimits
    from holdfast.risk.market import RiskMarket

TIGHTENED = "limits.tightened"
CONFIGURATION = "market.configuration"
HISTORY = "limits.history"

PriceHistory: TypeAlias = "Callable[[int], Sequence[Usd8]]"
"""The last price of each day that ended by a time in chain seconds, the newest last."""


def no_history(until: int) -> Sequence[Usd8]:
    """Nothing is known."""
    del until
    return ()


@dataclass(frozen=True, slots=True)
class DynamicLimits:
    """The limits of one chain; every method works inside the caller's transaction."""

    chain_id: ChainId
    published: RiskLimits
    alarm: Alarm
    history: PriceHistory = no_history
    lately: Lately = field(default_factory=Lately)

    async def in_force(self, session: Session) -> InForce:
        """What holds now; the published limits while the market was never read."""
        unseen = await store.unseen_seconds(session, self.chain_id)
        return InForce(self.published, await self.kept(session), unseen)

    async def kept(self, session: Session) -> LimitState | None:
        """The state after the last reading; None before the first."""
        kept = await store.load(session, self.chain_id)
        return None if kept is None else kept.state

    async def observe(self, session: Session, market: RiskMarket) -> LimitState:
        """Take a reading in: tighten at once, or rise when it is time; tell what changed."""
        kept = await store.load_locked(session, self.chain_id)
        before = None if kept is None else kept.state
        closes = await self._closes(session, market) if before is None else ()
        after = next_state(before, market, closes, lasting=self.lately.take(market))
        known = {} if kept is None else kept.settings
        await store.save(session, self.chain_id, Kept(after, settings(market)))
        await self.alarm.raised(session, *self._reconfigured(known, market))
        scale = Bps(BPS) if before is None else before.scale
        if after.scale != scale:
            await self._tell(session, market, scale, after)
        return after

    async def _closes(self, session: Session, market: RiskMarket) -> Sequence[Usd8]:
        """The days before the first reading; a file that is wrong must not stop the monitor."""
        try:
            return await asyncio.to_thread(self.history, market.at.timestamp)
        except Rejected as error:
            await self.alarm.raised(session, self._unread(error))
            return ()

    def _unread(self, error: Rejected) -> Alert:
        return Alert(
            code=HISTORY,
            severity=Severity.WARNING,
            subject=self._subject,
            text=f"volatility begins as in a usual year, without its history: {error.message}",
            chain_id=self.chain_id,
            fields={"code": error.code},
        )

    async def _tell(
        self, session: Session, market: RiskMarket, before: Bps, after: LimitState
    ) -> None:
        change = ScaleChange(market.at, before, after.scale, after)
        await store.record(session, self.chain_id, change)
        if after.scale < before:
            await self.alarm.raised(session, self._tightened(after))
        elif after.cause is Cause.PUBLISHED:
            await self.alarm.ended(session, Ended(TIGHTENED, self._subject))

    @property
    def _subject(self) -> str:
        return f"chain:{self.chain_id}"

    def _tightened(self, state: LimitState) -> Alert:
        return Alert(
            code=TIGHTENED,
            severity=Severity.WARNING,
            subject=self._subject,
            text=(
                f"new deals are held to {state.scale / 100:g} % of the published limits because "
                f"of {state.cause}; open deals keep theirs: see `holdfast risk limits`"
            ),
            chain_id=self.chain_id,
            fields={
                "scale_bps": state.scale,
                "cause": str(state.cause),
                "score": state.score,
                "volatility_bps": state.volatility.yearly,
            },
        )

    def _reconfigured(self, known: dict[str, int], market: RiskMarket) -> Iterator[Alert]:
        for change in changes(known, settings(market)):
            yield Alert(
                code=CONFIGURATION,
                severity=Severity.WARNING,
                subject=f"{self._subject}:{change.name}",
                text=(
                    f"the lending market changed {change.name} from {change.before} to "
                    f"{change.after}: check what open deals rely on"
                ),
                chain_id=self.chain_id,
                fields={
                    "before": str(change.before),
                    "after": str(change.after),
                    "block": market.at.number,
                },
            )
