"""Puts together what tries the unwinds of open deals."""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.bootstrap.settings import limits_of
from holdfast.common.leader import LeaderLock
from holdfast.common.system_clock import SystemClock
from holdfast.execution.calls import DealTokens
from holdfast.execution.exits import Exits
from holdfast.execution.future import Futures
from holdfast.execution.store.deals import DealStore
from holdfast.monitoring.exits import ExitChecks, ExitParts
from holdfast.protocols.registry import protocols

if TYPE_CHECKING:
    from holdfast.chain.node import Node
    from holdfast.chain.pool import Pool
    from holdfast.config import Settings
    from holdfast.monitoring.wiring import Notices


def exit_checks_of(
    url: str, pool: Pool, node: Node, notices: Notices, *, settings: Settings
) -> ExitChecks:
    """What tries all open deals of the node's chain, led through the database at `url`."""
    profile = node.profile
    tokens = DealTokens(profile.native, profile.weth, profile.usdt, profile.usdtz)
    futures = Futures(pool, profile, protocols(profile), tokens, limits_of(settings))
    parts = ExitParts(
        chain_id=profile.chain_id,
        db=notices.db,
        deals=DealStore(),
        heads=node,
        exits=Exits(futures.begin),
        alarm=notices.alerts,
        sleeper=SystemClock(),
        every_blocks=settings.exit_check_blocks,
    )
    return ExitChecks(parts, LeaderLock(url, f"exits:{profile.chain_id}"))
