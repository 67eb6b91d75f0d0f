"""The blocks that were followed: whether a new one continues them, and where a reorg forked."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final

from holdfast.common.errors import Transient
from holdfast.transactions.model import Place

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.chain.receipts import Block
    from holdfast.common.evm import BlockHash, BlockRef
    from holdfast.transactions.ports import Network

_REMEMBERED: Final = 512  # blocks; the deepest reorg that is traced to its very fork
_STEP_BACK: Final = 64  # blocks to read again when the fork is older than what is remembered


class Trail:
    """The last blocks followed, by number and hash; starts at `place`."""

    def __init__(self, place: Place) -> None:
        self._hashes: dict[int, BlockHash] = {place.number: place.hash}
        self._last = place

    @property
    def last(self) -> Place:
        """The newest block followed."""
        return self._last

    def knows(self, ref: BlockRef) -> bool:
        """Whether `ref` is one of the blocks remembered."""
        return self._hashes.get(ref.number) == ref.hash

    async def holds(self, place: Place, network: Network) -> bool:
        """Whether `place` is canonical, asking the chain for what was never followed."""
        followed = self._hashes.get(place.number)
        if followed is None:
            followed = (await network.block(place.number)).ref.hash
        return followed == place.hash

    def is_continued_by(self, blocks: Sequence[Block]) -> bool:
        """Whether `blocks` follow on the trail.

        Raises:
            Transient: `chain.reorged` when they do not follow on each other: they were read while
                the chain changed.
        """
        for parent, child in itertools.pairwise(blocks):
            if child.head.parent != parent.head.ref.hash:
                raise Transient("chain.reorged", "the chain changed while its blocks were read")
        return blocks[0].head.parent == self._last.hash

    def extend(self, blocks: Sequence[Block]) -> None:
        """Follow `blocks`, which continue the trail."""
        for block in blocks:
            self._hashes[block.head.ref.number] = block.head.ref.hash
        ref = blocks[-1].head.ref
        self._last = Place(ref.number, ref.hash)
        for number in [old for old in self._hashes if old <= ref.number - _REMEMBERED]:
            del self._hashes[number]

    async def find_fork(self, network: Network, head_number: int) -> Place:
        """The last block that is still canonical, or one certainly before the fork.

        Raises:
            Transient: when the chain does not answer.
        """
        number = min(self._last.number, head_number)
        while number in self._hashes:
            found = (await network.block(number)).ref.hash
            if found == self._hashes[number]:
                return Place(number, found)
            number -= 1
        number = max(number - _STEP_BACK, 0)
        return Place(number, (await network.block(number)).ref.hash)

    def cut(self, fork: Place) -> None:
        """Go on from `fork`."""
        self._hashes = {old: tip for old, tip in self._hashes.items() if old < fork.number}
        self._hashes[fork.number] = fork.hash
        self._last = fork
