"""Puts together what sends: the chain loops, what records for them, and the inbox of doubts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdfast.chain.heads import PushedHeads
from holdfast.common.boundary import Boundary, unobserved
from holdfast.common.fair_share import FairShare
from holdfast.common.leader import LeaderLock
from holdfast.execution.reopening import Reopening
from holdfast.transactions.actions import Patience
from holdfast.transactions.inbox import Inbox
from holdfast.transactions.journal import PostgresJournal
from holdfast.transactions.loop import ChainLoop
from holdfast.transactions.parts import Pace, Parts
from holdfast.transactions.service import Transactions
from holdfast.transactions.shard import Shard

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.audit.service import AuditTrail
    from holdfast.chain.node import Node
    from holdfast.chain.profiles import ChainProfile
    from holdfast.common.alerts import Alarm
    from holdfast.common.clock import Clock
    from holdfast.common.db import Database
    from holdfast.common.notify import Signal
    from holdfast.common.queue import Queue
    from holdfast.execution.bookkeeping import Bookkeeping
    from holdfast.execution.store.deals import DealStore
    from holdfast.signing.hd import HdKeyProvider
    from holdfast.transactions.metrics import TransactionMetrics
    from holdfast.transactions.ports import Lease


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """Makes the parts that send the transactions of one chain."""

    timeout_seconds: float
    profile: ChainProfile
    url: str
    db: Database
    keys: HdKeyProvider
    deals: DealStore
    books: Bookkeeping
    audit: AuditTrail
    queue: Queue
    alarm: Alarm
    clock: Clock
    boundary: Boundary
    metrics: TransactionMetrics

    def transactions(self) -> Transactions:
        """What deals record their transactions with."""
        return Transactions(self.keys, self.boundary, alarm=self.alarm)

    def loops(self, node: Node, signals: Sequence[Signal]) -> tuple[ChainLoop, ...]:
        """A loop for each shard, which listens to its own signal."""
        share = FairShare()
        chain, shards = f"chain:{self.profile.chain_id}", len(signals)
        loops: list[ChainLoop] = []
        for number, signal in enumerate(signals):
            shard = Shard(number, shards)
            # A sole loop bears the name that it had before there were shards.
            name = chain if shards == 1 else f"{chain}:{shard.name}"
            lead = LeaderLock(self.url, name, share=share)
            loops.append(ChainLoop(self._parts(node, lead, shard), lead, signal))
        return tuple(loops)

    def _parts(self, node: Node, lead: LeaderLock, shard: Shard) -> Parts:
        chain_id, lease = self.profile.chain_id, lead.lease
        return Parts(
            chain_id=chain_id,
            fee_model=self.profile.fee_model,
            network=node,
            journal=self._journal(self.boundary, lease=lease, shard=shard),
            keys=self.keys,
            clock=self.clock,
            boundary=self.boundary,
            lease=lease,
            patience=Patience.of_chain(
                self.profile.block_time_seconds,
                timeout_seconds=self.timeout_seconds,
                finality=self.profile.final_depth,
                cancel_ceiling_wei=self.profile.most_gas_price_wei,
            ),
            pace=Pace.of_chain(self.profile.block_time_seconds),
            heads=PushedHeads(self.profile.ws_urls) if self.profile.ws_urls else None,
            shard=shard,
            metrics=self.metrics,
        )

    def _journal(self, boundary: Boundary, *, lease: Lease | None, shard: Shard) -> PostgresJournal:
        return PostgresJournal(
            self.db,
            self.profile.chain_id,
            self.queue,
            boundary,
            reorgs=self._reopening(),
            alarm=self.alarm,
            lease=lease,
            shard=shard,
        )

    def _reopening(self) -> Reopening:
        return Reopening(
            finality=self.profile.final_depth,
            deals=self.deals,
            books=self.books,
            audit=self.audit,
            wakes=self.queue,
            alarm=self.alarm,
            clock=self.clock,
        )

    def inbox(self, node: Node) -> Inbox:
        """Transactions whose outcome is in doubt."""
        return Inbox(
            db=self.db,
            chain_id=self.profile.chain_id,
            finality=self.profile.final_depth,
            fee_model=self.profile.fee_model,
            network=node,
            keys=self.keys,
            deals=self.deals,
            outcomes=self._journal(unobserved, lease=None, shard=Shard()),
            audit=self.audit,
            alarm=self.alarm,
        )
