"""Puts together what tries the unwinds of open deals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdfast.bootstrap.settings import limits_of
from holdfast.common.leader import LeaderLock
from holdfast.common.system_clock import SystemClock
from holdfast.execution.calls import DealTokens
from holdfast.execution.exits import Exits
from holdfast.execution.future import Futures
from holdfast.monitoring.exit_metrics import ExitMetrics
from holdfast.monitoring.exits import ExitChecks, ExitParts
from holdfast.monitoring.store import alerts as alert_store
from holdfast.monitoring.store import history
from holdfast.protocols.registry import protocols

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from holdfast.chain.node import Node
    from holdfast.chain.pool import Pool
    from holdfast.chain.profiles import ChainProfile
    from holdfast.chain.rpc import Carrier
    from holdfast.config import Settings
    from holdfast.execution.store.deals import DealStore
    from holdfast.monitoring.wiring import Notices


@dataclass(frozen=True, slots=True)
class Around:
    """What the checks share with the rest of the process."""

    deals: DealStore
    notices: Notices
    registry: CollectorRegistry
    settings: Settings


def exits_of(carrier: Carrier, profile: ChainProfile, *, settings: Settings) -> Exits:
    """What tries deals on the chain of `profile`, read through `carrier`."""
    tokens = DealTokens(profile.native, profile.weth, profile.usdt, profile.usdtz)
    return Exits(
        Futures(carrier, profile, protocols(profile), tokens, limits_of(settings, profile)).begin
    )


def exit_checks_of(url: str, pool: Pool, node: Node, around: Around) -> ExitChecks:
    """What tries all open deals of the node's chain, led through the database at `url`."""
    profile, notices, settings = node.profile, around.notices, around.settings
    lead, clock = LeaderLock(url, f"exits:{profile.chain_id}"), SystemClock()
    parts = ExitParts(
        chain_id=profile.chain_id,
        db=notices.db,
        deals=around.deals,
        covers=history,
        heads=node,
        exits=exits_of(pool, profile, settings=settings),
        alarm=notices.alerts,
        standing=alert_store,
        fence=lead.lease,
        clock=clock,
        sleeper=clock,
        every_blocks=settings.exit_check_blocks,
        metrics=ExitMetrics(around.registry),
    )
    return ExitChecks(parts, lead)
