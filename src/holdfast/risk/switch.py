"""The kill switch: sets trading states, durable and audited, and says which is in force."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import structlog

from holdfast.audit.model import Act
from holdfast.audit.service import DESK as DESK_RECORD
from holdfast.common.alerts import Alert, Ended, Severity
from holdfast.common.errors import Broken, Rejected
from holdfast.common.ids import BankId, ChainId
from holdfast.risk.store import trading as store
from holdfast.risk.trading import (
    DESK,
    Scope,
    Setting,
    Source,
    Trading,
    TradingState,
    in_force,
    is_stable,
    scopes,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.audit.service import AuditTrail
    from holdfast.common.alerts import Alarm
    from holdfast.common.clock import Clock
    from holdfast.common.db import Session
    from holdfast.common.ids import PrincipalId
    from holdfast.risk.ports import StateBook, Waiting

_log = structlog.stdlib.get_logger(__name__)

_MONITOR: Final = "monitor"

_SEVERITIES: Final = {
    TradingState.ACTIVE: Severity.INFO,
    TradingState.REDUCING: Severity.WARNING,
    TradingState.HALTED: Severity.CRITICAL,
}


@dataclass(frozen=True, slots=True)
class KillSwitch:
    """Every method works inside the caller's transaction."""

    audit: AuditTrail
    alarm: Alarm
    clock: Clock
    waiting: Waiting
    book: StateBook = store

    async def glance(self, session: Session, bank: BankId, chain: ChainId) -> Trading:
        """The state in force for a deal of `bank` on `chain`; it may change at any time.

        Raises:
            Broken: `desk.no_state` when nobody ever set the desk's own: it may have been a halt.
        """
        found = await self.book.settings(session, scopes(bank, chain))
        if not any(one.scope == DESK.name and one.source is Source.PERSON for one in found):
            raise Broken("desk.no_state", "the desk's own trading state is missing: set it again")
        return in_force(found)

    async def held(self, session: Session, bank: BankId, chain: ChainId) -> Trading:
        """The same, and it does not change before the transaction ends."""
        await self.book.hold(session)
        return await self.glance(session, bank, chain)

    async def settings(self, session: Session) -> list[Setting]:
        """Everything that is set."""
        return await self.book.settings(session)

    async def turn(
        self, session: Session, scope: Scope, state: TradingState, *, by: PrincipalId, reason: str
    ) -> Setting:
        """Set a person's state for `scope`; whoever is adding risk meanwhile is waited for.

        Raises:
            Rejected: `desk.reason` when none is given.
        """
        if not reason.strip():
            raise Rejected("desk.reason", "say why, in words: --reason TEXT")
        return await self._turn(session, scope, Source.PERSON, state, by=by, reason=reason.strip())

    async def watch(self, session: Session, chain: ChainId, breaches: Sequence[str]) -> None:
        """Have the monitor reduce `chain` while something breaks there, and for a while afterwards.

        `breaches` are the codes that were found broken just now, of I1 over all deals, of I10, or
        of ticks that stay away; none when all is well. Called on every tick: it changes a state
        only when there is something to change.
        """
        scope = Scope(chain=chain)
        now = self.clock.now()
        found = await self.book.settings(session, [scope])
        own = next((one for one in found if one.source is Source.MONITOR), None)
        is_reducing = own is not None and own.state is not TradingState.ACTIVE
        if breaches and not is_reducing:
            reason = f"no risk is added while this does not hold: {', '.join(breaches)}"
            await self._by_monitor(session, scope, TradingState.REDUCING, reason)
        elif own is not None and breaches:
            await self.book.note_seen(session, own, now)
        elif own is not None and is_reducing and is_stable(own, now):
            reason = f"well since {own.seen_at.isoformat(timespec='seconds')}"
            await self._by_monitor(session, scope, TradingState.ACTIVE, reason)

    async def _by_monitor(
        self, session: Session, scope: Scope, state: TradingState, reason: str
    ) -> None:
        await self._turn(session, scope, Source.MONITOR, state, by=_MONITOR, reason=reason)

    async def _turn(
        self,
        session: Session,
        scope: Scope,
        source: Source,
        state: TradingState,
        *,
        by: str,
        reason: str,
    ) -> Setting:
        await self.book.take(session)
        found = await self.book.settings(session, [scope])
        before = next((one.state for one in found if one.source is source), TradingState.ACTIVE)
        now = self.clock.now()
        setting = Setting(scope.name, source, state, reason, by, since=now, seen_at=now)
        await self.book.put(session, setting)
        await self.audit.lock_desk(session)
        await self.audit.record(session, _act(scope, setting, before))
        await self.alarm.ended(session, Ended("desk.", _subject(setting)))
        await self.alarm.raised(session, _alert(scope, setting, before))
        if state is TradingState.ACTIVE:  # told, and nothing is left for anybody to do
            await self.alarm.ended(session, Ended("desk.", _subject(setting)))
        if state.rank < before.rank:
            await self.waiting.wake(session, scope)
        _log.warning("desk.turned", scope=setting.scope, state=state, before=before, by=by)
        return setting


def _act(scope: Scope, setting: Setting, before: TradingState) -> Act:
    return Act(
        deal_id=DESK_RECORD,
        bank=scope.bank or BankId("-"),
        chain_id=scope.chain or ChainId(0),
        actor=setting.set_by,
        action=f"desk.{setting.state}",
        subject=setting.scope,
        detail={
            "before": str(before),
            "after": str(setting.state),
            "source": str(setting.source),
            "reason": setting.reason,
        },
    )


def _alert(scope: Scope, setting: Setting, before: TradingState) -> Alert:
    return Alert(
        code=f"desk.{setting.state}",
        severity=_SEVERITIES[setting.state],
        subject=_subject(setting),
        text=f"trading of {setting.scope} went from {before} to {setting.state}, set by "
        f"{setting.set_by}: {setting.reason}",
        chain_id=scope.chain,
        bank_id=scope.bank,
        fields={"before": str(before), "reason": setting.reason, "set_by": setting.set_by},
    )


def _subject(setting: Setting) -> str:
    """The monitor's alerts and a person's do not close each other."""
    if setting.source is Source.MONITOR:
        return f"{setting.scope} ({_MONITOR})"
    return setting.scope
