"""What people must hear of: raised with the state that calls for it, delivered later."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

import structlog

if TYPE_CHECKING:
    from collections.abc import Mapping

    from holdfast.common.db import Session
    from holdfast.common.ids import BankId, ChainId, DealId


_log = structlog.stdlib.get_logger(__name__)


class Severity(StrEnum):
    """How soon somebody has to look."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True)
class Alert:
    """One thing to tell; two with the same code and subject are one while it is open.

    Args:
        code: stable and dotted, such as `tx.foreign_nonce`.
        subject: what it is about, such as an intent's id or an endpoint's name.
        text: what happened and what to do, for a person.
        fields: the facts, JSON-able; never a key, signed bytes or a URL with a token.
    """

    code: str
    severity: Severity
    subject: str
    text: str
    chain_id: ChainId | None = None
    deal_id: DealId | None = None
    bank_id: BankId | None = None
    fields: Mapping[str, object] = field(default_factory=dict[str, object])


@dataclass(frozen=True, slots=True)
class Ended:
    """What was told is seen to be over: of `subject`, all codes that start with `codes`."""

    codes: str
    subject: str


class Alarm(Protocol):
    """Takes alerts; whoever raises one never waits for its delivery."""

    async def raised(self, session: Session, *alerts: Alert) -> None:
        """Record the alerts; they are delivered if and only if `session` commits."""
        ...

    async def ended(self, session: Session, *ended: Ended) -> None:
        """Close those of the alerts that are open, if and only if `session` commits."""
        ...


class LoggedAlarm:
    """An alarm for where there is nobody to deliver to: it only logs."""

    async def raised(self, session: Session, *alerts: Alert) -> None:  # noqa: ARG002 - the port
        """Log the alerts, whatever becomes of the transaction."""
        for alert in alerts:
            _log.error("alert", code=alert.code, subject=alert.subject, text=alert.text)

    async def ended(self, session: Session, *ended: Ended) -> None:  # noqa: ARG002 - the port
        """Log it, whatever becomes of the transaction."""
        for one in ended:
            _log.info("alert.ended", codes=one.codes, subject=one.subject)
