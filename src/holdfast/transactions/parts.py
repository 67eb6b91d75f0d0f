"""What the sender and the watcher of one chain share."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from holdfast.common.boundary import Boundary, unobserved
from holdfast.transactions.live import LiveSet
from holdfast.transactions.send_state import Patience

if TYPE_CHECKING:
    from holdfast.chain.profiles import FeeModel
    from holdfast.chain.receipts import Head
    from holdfast.common.clock import Clock
    from holdfast.common.ids import ChainId
    from holdfast.signing.ports import KeyProvider
    from holdfast.transactions.ports import Journal, Network

RETRY_SECONDS: Final = 0.5
"""Pause after the node or the database did not answer."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How often the loop looks, in seconds.

    Args:
        head: at most, between two looks at the newest block; a fraction of the block time.
        scan: between two looks at every live intent, mined or not.
        reload: between two readings of all live intents from the journal.
        place: between two writes of the block reached while nothing else is written.
    """

    head: float = 0.05
    scan: float = 1.0
    reload: float = 5.0
    place: float = 5.0


@dataclass(frozen=True, slots=True)
class Parts:
    """The ports and settings of one chain's loop."""

    chain_id: ChainId
    fee_model: FeeModel
    network: Network
    journal: Journal
    keys: KeyProvider
    clock: Clock
    boundary: Boundary = unobserved
    patience: Patience = field(default_factory=Patience)
    pace: Pace = field(default_factory=Pace)


class Shared:
    """The state that sender and watcher share; all of it is rebuilt at start-up.

    `gate` is held from a look at the journal until memory follows it, so that an older look never
    overwrites a newer one. It is never held while the node is asked. `head` is the newest block
    seen, whether or not its receipts are known yet.
    """

    def __init__(self, head: Head) -> None:
        self.live = LiveSet()
        self.gate = asyncio.Lock()
        self.head = head
        self.to_send = asyncio.Event()
        self.to_look = asyncio.Event()
        self.scan_wanted = False
