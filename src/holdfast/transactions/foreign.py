"""Finds the transaction that used a nonce of ours, which proves that our bytes cannot be mined."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import structlog

from holdfast.common.errors import Transient
from holdfast.transactions.send_state import is_authorized

if TYPE_CHECKING:
    from collections.abc import Iterable

    from holdfast.chain.receipts import MinedTransaction
    from holdfast.common.clock import Clock
    from holdfast.common.evm import Address, BlockRef
    from holdfast.common.ids import IntentId
    from holdfast.transactions.model import Intent
    from holdfast.transactions.ports import Network

log = structlog.stdlib.get_logger(__name__)

_AGAIN_SECONDS: Final = 10.0  # a node without old states answers no differently a second later


class Prover:
    """Looks for the foreign transactions behind disputed intents, each from time to time."""

    def __init__(self, network: Network, clock: Clock) -> None:
        self._network = network
        self._clock = clock
        self._tried: dict[IntentId, float] = {}

    async def find(
        self, disputed: Iterable[Intent], head: BlockRef
    ) -> list[tuple[Intent, MinedTransaction]]:
        """Those intents whose nonce's user is found as of `head`; the others stay unproved."""
        now = self._clock.monotonic_seconds()
        self._tried = {one: at for one, at in self._tried.items() if now - at < _AGAIN_SECONDS}
        found: list[tuple[Intent, MinedTransaction]] = []
        for intent in disputed:
            if intent.intent_id not in self._tried:
                self._tried[intent.intent_id] = now
                use = await self._use_of(intent, head)
                if use is not None:  # asked for again at once: it may be too young to count
                    found.append((intent, use))
                    del self._tried[intent.intent_id]
        return found

    async def _use_of(self, intent: Intent, head: BlockRef) -> MinedTransaction | None:
        try:
            return await find_use(self._network, intent.new.sender, intent.nonce, head)
        except Transient as error:  # one that cannot be proved now must not hold up the others
            log.warning("tx.unproved", **intent.new.log_ids, **error.as_dict())
            return None


async def find_use(
    network: Network, sender: Address, nonce: int, head: BlockRef
) -> MinedTransaction | None:
    """The mined transaction that used `nonce` of `sender`, as of the canonical block `head`.

    An account's count never falls along a chain, so the first block at which it is above `nonce`
    holds the transaction: the account's own, or one with its EIP-7702 authorization. None when the
    nonce is not used, or was by neither: code that the account delegates to may use one, too.

    Raises:
        Transient: when the chain does not answer, or the node has dropped the states in question.
    """
    search = _Search(network, sender, nonce)
    if not await search.is_past(head):
        return None
    block = await search.first_past(head)
    mined = await network.transactions(block)
    own = (one for one in mined if (one.sender, one.nonce) == (sender, nonce))
    # Only without one of its own: an authorization at a nonce that is used already does nothing.
    others = (one for one in mined if is_authorized(one, sender, nonce))
    return next(own, None) or next(others, None)


class _Search:
    """Bisects blocks by an account's count, backwards in doubling steps first.

    Most uses are recent, and many nodes keep no old states.
    """

    def __init__(self, network: Network, sender: Address, nonce: int) -> None:
        self._network, self._sender, self._nonce = network, sender, nonce

    async def is_past(self, at: BlockRef) -> bool:
        """Whether the nonce is used as of block `at`."""
        counts = await self._network.nonces([self._sender], at)
        return counts[self._sender] > self._nonce

    async def first_past(self, head: BlockRef) -> BlockRef:
        """The first block at which the nonce is used; it must be at `head`."""
        first, step, below = head, 1, -1
        while first.number > 0:
            ref = await self._ref(max(first.number - step, 0))
            if not await self.is_past(ref):
                below = ref.number
                break
            first, step = ref, step * 2
        return await self._between(below, first)

    async def _between(self, below: int, first: BlockRef) -> BlockRef:
        while first.number - below > 1:
            ref = await self._ref((below + first.number) // 2)
            if await self.is_past(ref):
                first = ref
            else:
                below = ref.number
        return first

    async def _ref(self, number: int) -> BlockRef:
        return (await self._network.block(number)).ref
