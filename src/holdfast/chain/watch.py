"""Keeps an eye on a chain's endpoints for as long as a worker lives, and tells what matters."""

from __future__ import annotations

from contextlib import suppress
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import structlog

from holdfast.common.alerts import Alert, Ended, Severity
from holdfast.common.errors import Transient

if TYPE_CHECKING:
    from holdfast.chain.member import EndpointStatus
    from holdfast.chain.pool import Pool
    from holdfast.chain.ports import Herald, PatientClock
    from holdfast.common.ids import ChainId

log = structlog.stdlib.get_logger(__name__)

TICK_SECONDS: Final = 0.5
"""Between two looks at what is due."""

READ_ONLY_AFTER_SECONDS: Final = 2.0
"""Without an endpoint to read from, or one to send to, the desk says so: shorter gaps end by
themselves."""


class _Missing(StrEnum):
    """What the chain cannot be used without; the first stands for both when both are missing."""

    ANY_NODE = "any node"
    PRIVATE_NODE = "private node"


class Watch:
    """Looks at the endpoints of `pool`; logs and raises each change once."""

    def __init__(self, chain_id: ChainId, pool: Pool, herald: Herald, clock: PatientClock) -> None:
        self._chain_id = chain_id
        self._pool = pool
        self._herald = herald
        self._clock = clock
        self._last_reading = self._last_sending = clock.monotonic_seconds()
        self._missing: _Missing | None = None
        self._lies: dict[str, str] = {}
        # A worker that starts does not know what the one before told: what is well is told once.
        self._is_well = False
        self._well: set[str] = set()
        self._untold: list[Alert | Ended] = []

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            await self.step()
            await self._clock.sleep(TICK_SECONDS)

    async def step(self) -> None:
        """Look where it is due and tell what changed; what could not be told is told later."""
        await self._pool.check_when_due()
        self._note_lies()
        self._note_endpoints_back()
        self._note_read_only()
        if self._untold:
            with suppress(Transient):  # the database is away, which others tell of
                await self._herald.tell(*self._untold)
                self._untold.clear()

    def _note_read_only(self) -> None:
        before, self._missing = self._missing, self._missing_now()
        if self._missing is before:
            return
        if self._missing is None:
            log.info("chain.writable_again", chain_id=self._chain_id)
            return
        self._is_well = False
        out = [f"{one.name}: {one.reason}" for one in self._pool.status() if one.trouble]
        log.error("chain.read_only", chain_id=self._chain_id, missing=self._missing, endpoints=out)
        tell = _read_only if self._missing is _Missing.ANY_NODE else _no_private_route
        self._untold.append(tell(self._chain_id, out))

    def _missing_now(self) -> _Missing | None:
        now = self._clock.monotonic_seconds()
        if self._pool.is_used:
            self._last_reading = now
            if self._pool.can_send:
                self._last_sending = now
                self._note_well()
        if now - self._last_reading >= READ_ONLY_AFTER_SECONDS:
            return _Missing.ANY_NODE
        if now - self._last_sending >= READ_ONLY_AFTER_SECONDS:
            return _Missing.PRIVATE_NODE
        return None

    def _note_well(self) -> None:
        if not self._is_well:
            self._is_well = True
            self._untold.append(Ended("chain.read_only", f"chain:{self._chain_id}"))

    def _note_endpoints_back(self) -> None:
        well = {one.name for one in self._pool.status() if one.trouble is None}
        self._untold += [Ended("chain.endpoint_", name) for name in sorted(well - self._well)]
        self._well = (self._well | well) - self._lies.keys()

    def _note_lies(self) -> None:
        lies = {one.name: one for one in self._pool.status() if one.trouble and one.trouble.is_lie}
        self._untold += [
            _lie(self._chain_id, one)
            for name, one in lies.items()
            if self._lies.get(name) != one.trouble
        ]
        self._lies = {name: str(one.trouble) for name, one in lies.items()}


def _read_only(chain_id: ChainId, endpoints: list[str]) -> Alert:
    return Alert(
        code="chain.read_only",
        severity=Severity.CRITICAL,
        subject=f"chain:{chain_id}",
        text="No node of this chain can be used. Nothing is planned, approved or sent until one "
        "returns; open deals stand still. Bring a node back, or set HOLDFAST_RPC_URL to others.",
        chain_id=chain_id,
        fields={"endpoints": endpoints},
    )


def _no_private_route(chain_id: ChainId, endpoints: list[str]) -> Alert:
    return Alert(
        code="chain.read_only_private",  # of its own: it must not hide that all are lost
        severity=Severity.CRITICAL,
        subject=f"chain:{chain_id}",
        text="No private node of this chain can be used, and raw transactions go nowhere else. "
        "Nothing is sent until one returns; open deals stand still. Bring one back, or set "
        "HOLDFAST_PRIVATE_RPC_URL to others.",
        chain_id=chain_id,
        fields={"endpoints": endpoints},
    )


def _lie(chain_id: ChainId, endpoint: EndpointStatus) -> Alert:
    return Alert(
        code=f"chain.endpoint_{endpoint.trouble}",
        severity=Severity.WARNING,
        subject=endpoint.name,
        text=f"{endpoint.name} is not used: {endpoint.reason}. Find out what it serves, and take "
        "it out of the settings if it does not come right.",
        chain_id=chain_id,
        fields={"reason": endpoint.reason},
    )
