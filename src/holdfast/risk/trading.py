"""Whether the desk may take on risk: the states of desk, banks and chains, and which counts; pure.

A scope may have two settings: one of a person and one of the monitor (I10). Neither writes the
other's, and the most restrictive of all that concern a deal is in force.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from holdfast.risk.errors import DeskStopped

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from holdfast.common.ids import BankId, ChainId

STABLE: Final = timedelta(minutes=5)
"""How long all must be well before the monitor takes its own REDUCING back: 60 ticks, so that a
feed that flickers does not open and shut the desk."""


class TradingState(StrEnum):
    """What may be done, from everything to almost nothing."""

    ACTIVE = "active"
    REDUCING = "reducing"
    """Nothing starts, nothing is opened or bought; whatever reduces risk goes on."""
    HALTED = "halted"
    """Only debt is repaid and allowances are taken back, and only where an invariant breaks."""

    @property
    def rank(self) -> int:
        """The more restrictive, the larger."""
        return _RANKS[self]


_RANKS: Final = {state: rank for rank, state in enumerate(TradingState)}


class Source(StrEnum):
    """Whose setting it is."""

    PERSON = "person"
    MONITOR = "monitor"


@dataclass(frozen=True, slots=True)
class Scope:
    """What a state is about: one bank, one chain, or the whole desk where neither is named."""

    bank: BankId | None = None
    chain: ChainId | None = None

    @property
    def name(self) -> str:
        """`desk`, `bank:BANK001` or `chain:1`."""
        if self.bank is not None:
            return f"bank:{self.bank}"
        return "desk" if self.chain is None else f"chain:{self.chain}"


DESK: Final = Scope()


@dataclass(frozen=True, slots=True)
class Setting:
    """One state that was set, by whom and why.

    `seen_at` is when the cause was last seen; only the monitor moves it.
    """

    scope: str
    source: Source
    state: TradingState
    reason: str
    set_by: str
    since: datetime
    seen_at: datetime

    @property
    def is_active(self) -> bool:
        """Whether it keeps nobody from anything."""
        return self.state is TradingState.ACTIVE

    def as_dict(self) -> dict[str, str]:
        """As it is shown to machines."""
        return {
            "scope": self.scope,
            "source": str(self.source),
            "state": str(self.state),
            "reason": self.reason,
            "set_by": self.set_by,
            "since": self.since.isoformat(),
            "seen_at": self.seen_at.isoformat(),
        }


@dataclass(frozen=True, slots=True)
class Trading:
    """The state in force, and the setting that makes it so; None where nobody ever set one."""

    state: TradingState = TradingState.ACTIVE
    because: Setting | None = None

    @property
    def is_active(self) -> bool:
        """Whether risk may be added."""
        return self.state is TradingState.ACTIVE

    def require_active(self) -> None:
        """Refuse to take on risk.

        Raises:
            DeskStopped: `desk.halted` or `desk.reducing`.
        """
        if self.because is None or self.is_active:
            return
        raise DeskStopped(
            self.state,
            self.because.scope,
            self.because.reason,
            set_by=self.because.set_by,
            since=self.because.since.isoformat(),
        )


def scopes(bank: BankId, chain: ChainId) -> tuple[Scope, ...]:
    """The scopes that concern a deal, the widest first."""
    return DESK, Scope(chain=chain), Scope(bank=bank)


def in_force(settings: Iterable[Setting]) -> Trading:
    """The most restrictive of `settings`; of equals the one that was set first."""
    ordered = sorted(settings, key=lambda one: (-one.state.rank, one.since, one.scope))
    return Trading(ordered[0].state, ordered[0]) if ordered else Trading()


def is_stable(setting: Setting, now: datetime) -> bool:
    """Whether the cause of the monitor's setting is gone for long enough."""
    return now - setting.seen_at >= STABLE
