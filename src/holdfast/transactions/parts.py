"""What the sender and the watcher of one chain share."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from holdfast.common.boundary import Boundary, unobserved
from holdfast.common.lease import Unrivalled
from holdfast.transactions.actions import Patience
from holdfast.transactions.live import LiveSet
from holdfast.transactions.metrics import TransactionMetrics
from holdfast.transactions.shard import Shard

if TYPE_CHECKING:
    from holdfast.chain.profiles import FeeModel
    from holdfast.chain.receipts import Head
    from holdfast.common.clock import Clock
    from holdfast.common.ids import ChainId
    from holdfast.signing.ports import KeyProvider
    from holdfast.transactions.ports import Heads, Journal, Lease, Network

_LEAST_PAUSE: Final = 0.02  # a look costs about a millisecond here and another at the node
_CERTAIN: Final = 0.9  # the share of the block time in which no next block is expected


@dataclass(frozen=True, slots=True)
class Pace:
    """How often the loop looks, in seconds.

    Args:
        head: between two looks at the newest block.
        block: the chain's block time; for most of it after a block nobody looks for the next one.
            0 where a block is mined for each transaction.
        scan: between two looks at every live intent, mined or not.
        reload: between two readings of all live intents from the journal.
        place: between two writes of the block reached while nothing else is written.
    """

    head: float = 0.05
    block: float = 0.0
    scan: float = 1.0
    reload: float = 5.0
    place: float = 5.0

    @classmethod
    def of_chain(cls, block_time_seconds: float) -> Pace:
        """The pace for a chain with this block time: a block is noticed within a fiftieth of it."""
        if block_time_seconds <= 0:
            return cls()
        return cls(head=max(_LEAST_PAUSE, block_time_seconds / 50), block=block_time_seconds)

    def until_next_look(self, since_block_seconds: float) -> float:
        """How long to wait now, this long after the newest block was noticed."""
        return max(self.head, _CERTAIN * self.block - since_block_seconds)


@dataclass(frozen=True, slots=True)
class Parts:
    """The ports and settings of one chain's loop; without `heads` new blocks are polled for."""

    chain_id: ChainId
    fee_model: FeeModel
    network: Network
    journal: Journal
    keys: KeyProvider
    clock: Clock
    boundary: Boundary = unobserved
    lease: Lease = field(default_factory=Unrivalled)
    patience: Patience = field(default_factory=Patience)
    pace: Pace = field(default_factory=Pace)
    heads: Heads | None = None
    shard: Shard = field(default_factory=Shard)
    metrics: TransactionMetrics = field(default_factory=TransactionMetrics.unread)


class Shared:
    """The state that sender and watcher share; all of it is rebuilt at start-up.

    `gate` is held from a look at the journal until memory follows it, so that an older look never
    overwrites a newer one. It is never held while the node is asked. `head` is the newest block
    seen, whether or not its receipts are known yet, `noticed_seconds` when it was (monotonic).
    """

    def __init__(self, head: Head) -> None:
        self.live = LiveSet()
        self.gate = asyncio.Lock()
        self.head = head
        self.noticed_seconds = 0.0
        self.to_send = asyncio.Event()
        self.to_look = asyncio.Event()
        self.scan_wanted = False
