"""Where alerts go: always the log, and whatever the operator named by an apprise URL."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import apprise
import structlog

from holdfast.common.alerts import Severity
from holdfast.common.errors import Rejected, Transient

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.common.secret import Secret
    from holdfast.monitoring.ports import Target
    from holdfast.monitoring.records import KeptAlert

_TIMEOUT_SECONDS: Final = 20.0
_KINDS: Final = {
    Severity.INFO: apprise.NotifyType.INFO,
    Severity.WARNING: apprise.NotifyType.WARNING,
    Severity.CRITICAL: apprise.NotifyType.FAILURE,
}

_LEVELS: Final = {
    Severity.INFO: logging.INFO,
    Severity.WARNING: logging.WARNING,
    Severity.CRITICAL: logging.CRITICAL,
}

_log = structlog.stdlib.get_logger(__name__)


def targets(urls: Sequence[Secret[str]], least: Severity) -> list[Target]:
    """The log and every target of `urls`, which hear of what is at least as grave as `least`.

    Raises:
        Rejected: `config.alert_urls`, with the number of the wrong one and never the URL.
    """
    return [LogTarget(), *(_named(number, url, least) for number, url in enumerate(urls, 1))]


class LogTarget:
    """The log: one line for each alert, whatever its severity."""

    name = "log"
    least = Severity.INFO

    async def send(self, alert: KeptAlert) -> None:
        """Write the line."""
        _log.log(
            _LEVELS[alert.severity],
            "alert",
            alert_id=alert.alert_id,
            code=alert.code,
            severity=str(alert.severity),
            subject=alert.subject,
            text=alert.text,
            chain_id=alert.chain_id,
            deal=None if alert.deal_id is None else str(alert.deal_id),
            bank=alert.bank_id,
            fields=dict(alert.fields),
        )


class AppriseTarget:
    """One address of one service: chat, pager, e-mail or any webhook."""

    def __init__(self, name: str, service: apprise.Apprise, least: Severity) -> None:
        self.name = name
        self.least = least
        self._service = service

    async def send(self, alert: KeptAlert) -> None:
        """Hand the alert over; `alert.undelivered` when the service does not take it in time."""
        try:
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                is_taken = await self._service.async_notify(
                    title=f"[{alert.severity}] {alert.code}",
                    body=_body(alert),
                    notify_type=_KINDS[alert.severity],
                )
        except TimeoutError as error:
            raise self._undelivered("did not answer") from error
        if not is_taken:
            raise self._undelivered("did not take it")

    def _undelivered(self, what: str) -> Transient:
        return Transient("alert.undelivered", f"target {self.name} {what}", target=self.name)


def _named(number: int, url: Secret[str], least: Severity) -> AppriseTarget:
    text = url.use()
    service = apprise.Apprise()
    if not service.add(text):  # pyright: ignore[reportUnknownMemberType] - half typed there
        raise Rejected(
            "config.alert_urls",
            f"address {number} of HOLDFAST_ALERT_URLS is none that apprise knows",
            number=number,
        )
    # The digest keeps apart two targets of one service, and tells nothing about the address.
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    return AppriseTarget(f"{urlsplit(text).scheme}-{digest}", service, least)


def _body(alert: KeptAlert) -> str:
    facts = [f"{name}: {value}" for name, value in sorted(alert.fields.items())]
    about = [f"subject: {alert.subject}"]
    if alert.deal_id is not None:
        about.append(f"deal: {alert.deal_id}")
    if alert.chain_id is not None:
        about.append(f"chain: {alert.chain_id}")
    return "\n".join([alert.text, "", *about, *facts, f"alert: {alert.alert_id}"])
