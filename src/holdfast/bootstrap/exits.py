"""Puts together what tries the unwinds of open deals."""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.common.leader import LeaderLock
from holdfast.common.system_clock import SystemClock
from holdfast.execution.calls import DealTokens
from holdfast.execution.exits import Exits
from holdfast.execution.future import Futures
from holdfast.execution.store.deals import DealStore
from holdfast.monitoring.exits import ExitChecks, ExitParts

if TYPE_CHECKING:
    from holdfast.chain.node import Node
    from holdfast.chain.pool import Pool
    from holdfast.chain.profiles import ChainProfile
    from holdfast.monitoring.wiring import Notices
    from holdfast.protocols.suite import Protocols
    from holdfast.risk.limits import RiskLimits


def exits_of(pool: Pool, profile: ChainProfile, protocols: Protocols, limits: RiskLimits) -> Exits:
    """What tries one deal, on the chain behind `pool`."""
    tokens = DealTokens(profile.native, profile.weth, profile.usdt, profile.usdtz)
    return Exits(Futures(pool, profile, protocols, tokens, limits).begin)


def exit_checks_of(
    url: str, node: Node, notices: Notices, exits: Exits, *, every_blocks: int
) -> ExitChecks:
    """What tries all open deals of the node's chain, led through the database at `url`."""
    chain_id = node.profile.chain_id
    parts = ExitParts(
        chain_id=chain_id,
        db=notices.db,
        deals=DealStore(),
        heads=node,
        exits=exits,
        alarm=notices.alerts,
        sleeper=SystemClock(),
        every_blocks=every_blocks,
    )
    return ExitChecks(parts, LeaderLock(url, f"exits:{chain_id}"))
